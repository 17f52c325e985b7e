import type { FeedMode, FeedPage } from "@feed/client";
import { headers } from "next/headers";
import type { ServerPage } from "@/components/feed";
import { pendingWrites } from "@/lib/feed/pending-writes";
import type { PostWithUser } from "@/lib/feed/post";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { recordServedPage, recordUnavailablePage } from "@/lib/feed/served-page";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

const POSTS = 20;
/** The page waits this long for recommendations. Then it shows fallback posts. */
const WAIT_MS = 800;
/** The page waits this long for events that the browser has sent at the same time. */
const PENDING_WRITES_MS = 300;

/**
 * The first page of a list of the user, for the HTML of the feed page; null if no post can be read. Null too if the
 * reader comes from another page of the application: the browser may have the list, and the service counts the posts of
 * a page as shown.
 */
export async function loadFirstPage(userId: string, requestedMode: FeedMode): Promise<ServerPage | null> {
  const startedAt = performance.now();
  const requestHeaders = await headers();
  if (requestHeaders.get("sec-fetch-mode") === "cors") return null; // no request for a document
  const isOutsideRollout = requestedMode === "ranked" && !getsRankedFeed(userId, config.feedPercent);
  const mode: FeedMode = isOutsideRollout ? "newest" : requestedMode;
  const repository = new FeedRepository(MLServiceClient.withTraceOf({ headers: requestHeaders }));
  await pendingWrites.settle(userId, PENDING_WRITES_MS);
  const request = { userId, mode, cursor: null, limit: POSTS };
  try {
    const first = config.feedShadow
      ? { page: await repository.fetchShadowedPage(request), rankedPage: null }
      : await repository.fetchFirstPage(request, WAIT_MS - (performance.now() - startedAt));
    recordServedPage(userId, first.page, startedAt);
    return {
      mode: requestedMode,
      page: first.page,
      rankedPage: first.rankedPage && recordWhenServed(userId, first.rankedPage, startedAt),
    };
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    recordUnavailablePage(userId, mode, error);
    return null;
  }
}

async function recordWhenServed(
  userId: string,
  rankedPage: Promise<FeedPage<PostWithUser> | null>,
  startedAt: number,
): Promise<FeedPage<PostWithUser> | null> {
  const page = await rankedPage;
  if (page) recordServedPage(userId, page, startedAt);
  return page;
}
