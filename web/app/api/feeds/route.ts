import type { FeedMode } from "@feed/client";
import type { NextRequest } from "next/server";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { logger } from "@/lib/logger";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { sessionUserId } from "@/lib/platform/session";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const MODES: readonly string[] = ["ranked", "following", "newest"];
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 50;

/** `GET /api/feeds?cursor&mode&limit`: the next page of the feed of the session's user. */
export async function GET(request: NextRequest): Promise<Response> {
  const startedAt = performance.now();
  const userId = sessionUserId(request);
  if (userId === null) return problem(400, "no_user", "the session has no user; load the feed page first");

  const parameters = request.nextUrl.searchParams;
  const requestedMode = parameters.get("mode") || "ranked";
  if (!MODES.includes(requestedMode)) return problem(400, "invalid_mode", `mode: must be one of ${MODES.join(", ")}`);
  const limit = Number(parameters.get("limit") || DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return problem(400, "invalid_limit", `limit: must be an integer from 1 to ${MAX_LIMIT}`);
  }
  const cursor = parameters.get("cursor") || null;
  // The roll-out applies to new scrolls only. A cursor keeps the mode of its scroll.
  const isOutsideRollout = requestedMode === "ranked" && !getsRankedFeed(userId, config.feedPercent);
  const mode = cursor === null && isOutsideRollout ? "newest" : requestedMode;

  try {
    const repository = new FeedRepository(MLServiceClient.withTraceOf(request));
    const pageRequest = { userId, mode: mode as FeedMode, cursor, limit };
    const page = config.feedShadow
      ? await repository.fetchShadowedPage(pageRequest)
      : await repository.fetchFeedPage(pageRequest);
    const seconds = (performance.now() - startedAt) / 1000;
    metrics.count("web_feed_pages_total", { source: page.source, mode: page.mode });
    metrics.observeSeconds("web_feed_page_seconds", seconds);
    metrics.recordServed(userId, page.source, Date.now());
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
    metrics.recordServed(userId, "unavailable", Date.now());
    logger.error("feed.unavailable", { error, cause: error.cause });
    return problem(503, "storage_unavailable", "the posts cannot be read; try again later", { "Retry-After": "1" });
  }
}
