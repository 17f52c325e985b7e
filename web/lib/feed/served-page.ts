import type { FeedMode, FeedPage } from "@feed/client";
import { logger } from "@/lib/logger";
import { metrics } from "@/lib/platform/metrics";
import type { PostWithUser } from "./post";

/** Counts and logs a page that a user gets. `startedAt` is a time of `performance.now()`. */
export function recordServedPage(userId: string, page: FeedPage<PostWithUser>, startedAt: number): void {
  const seconds = (performance.now() - startedAt) / 1000;
  metrics.feedPages.inc({ source: page.source, mode: page.mode });
  metrics.feedPageSeconds.observe(seconds);
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
}

/** Counts and logs that a user gets no page, because the posts cannot be read. */
export function recordUnavailablePage(userId: string, mode: FeedMode, error: Error): void {
  metrics.feedPages.inc({ source: "unavailable", mode });
  metrics.recordServed(userId, "unavailable", Date.now());
  logger.error("feed.unavailable", { error, cause: error.cause });
}
