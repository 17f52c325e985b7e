import type { FeedMode } from "@feed/client";
import type { NextRequest } from "next/server";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import { logger } from "@/lib/logger";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { MLServiceClient } from "@/lib/services/ml-service";
import { userOf } from "@/lib/platform/session";

export const dynamic = "force-dynamic";

const MODES: readonly string[] = ["ranked", "following", "newest"];
const PAGE = 20;
const MAX_PAGE = 50;

/** `GET /api/feeds?cursor&mode&limit`: the next page of the session's feed. */
export async function GET(request: NextRequest): Promise<Response> {
  const started = performance.now();
  const user = userOf(request);
  if (user === null) return problem(400, "no_user", "this session has no user yet: load the page first");

  const parameters = request.nextUrl.searchParams;
  const asked = parameters.get("mode") || "ranked";
  if (!MODES.includes(asked)) return problem(400, "invalid_mode", `mode must be one of ${MODES.join(", ")}`);
  const limit = Number(parameters.get("limit") || PAGE);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    return problem(400, "invalid_limit", `limit must be 1..${MAX_PAGE}`);
  }
  const cursor = parameters.get("cursor") || null;
  // a scroll that has begun goes on as it began
  const mode = cursor === null && asked === "ranked" && !getsRankedFeed(user, config.feedPercent) ? "newest" : asked;

  try {
    const page = await new FeedRepository(MLServiceClient.during(request)).fetchPersonalizedFeed({
      userId: user,
      mode: mode as FeedMode,
      cursor,
      limit,
    });
    const seconds = (performance.now() - started) / 1000;
    metrics.count("web_feed_pages_total", { source: page.source, mode: page.mode });
    metrics.observeSeconds("web_feed_page_seconds", seconds);
    metrics.served(user, page.source, Date.now());
    logger.info("feed.page", {
      source: page.source,
      mode: page.mode,
      posts: page.posts.length,
      degraded: page.degraded,
      exhausted: page.exhausted,
      request_id: page.requestId,
      duration_ms: Math.round(seconds * 1000),
    });
    return Response.json(page, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (error instanceof InvalidFeedCursor) return problem(400, "invalid_cursor", error.message);
    if (!(error instanceof DatabaseUnavailable)) throw error;
    metrics.count("web_feed_pages_total", { source: "unavailable", mode });
    metrics.served(user, "unavailable", Date.now());
    logger.error("feed.unavailable", { error, cause: error.cause });
    return problem(503, "storage_unavailable", "posts cannot be read just now", { "Retry-After": "1" });
  }
}
