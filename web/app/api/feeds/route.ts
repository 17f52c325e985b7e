import type { NextRequest } from "next/server";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import { FEED_MODES, feedModeOf } from "@/lib/feed/feed-mode";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { recordServedPage, recordUnavailablePage } from "@/lib/feed/served-page";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 50;

/** `GET /api/feeds?cursor&mode&limit`: the next page of the feed of the session's user. */
export async function GET(request: NextRequest): Promise<Response> {
  const startedAt = performance.now();
  const user = await currentUser(request);
  if (user === null) return noSession();

  const parameters = request.nextUrl.searchParams;
  const requestedMode = feedModeOf(parameters.get("mode") || "ranked");
  if (!requestedMode) return problem(400, "invalid_mode", `mode: must be one of ${FEED_MODES.join(", ")}`);
  const limit = Number(parameters.get("limit") || DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return problem(400, "invalid_limit", `limit: must be an integer from 1 to ${MAX_LIMIT}`);
  }
  const cursor = parameters.get("cursor") || null;
  // The roll-out applies to new scrolls only. A cursor keeps the mode of its scroll.
  const isOutsideRollout = requestedMode === "ranked" && !getsRankedFeed(user.id, config.feedPercent);
  const mode = cursor === null && isOutsideRollout ? "newest" : requestedMode;

  try {
    const repository = new FeedRepository(MLServiceClient.withTraceOf(request));
    const pageRequest = { userId: user.id, mode, cursor, limit };
    const page = config.feedShadow
      ? await repository.fetchShadowedPage(pageRequest)
      : await repository.fetchFeedPage(pageRequest);
    recordServedPage(user.id, page, startedAt);
    return Response.json(page, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (error instanceof InvalidFeedCursor) return problem(400, "invalid_cursor", error.message);
    if (!(error instanceof DatabaseUnavailable)) throw error;
    recordUnavailablePage(user.id, mode, error);
    return problem(503, "storage_unavailable", "the posts cannot be read; try again later", { "Retry-After": "1" });
  }
}
