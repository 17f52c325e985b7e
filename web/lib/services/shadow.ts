import type { RecommendationPage } from "@feed/client";
import { logger } from "@/lib/logger";
import { metrics } from "@/lib/platform/metrics";
import type { MLServiceClient } from "./ml-service";

const COMPARED_POSTS = 10;

/** A page of the service that no user sees; null when the service does not return one within the time limit. */
export interface UnseenPage {
  page: RecommendationPage | null;
  durationMs: number;
}

/** Requests the first page of the user's ranked list. It does not count as shown. Never rejects. */
export async function fetchUnseenPage(client: MLServiceClient, userId: string, limit: number): Promise<UnseenPage> {
  const startedAt = performance.now();
  const request = { user_id: userId, limit, context: { mode: "ranked", record: false } } as const;
  const page = await client.getRecommendationPage(request).catch((error: unknown) => {
    logger.error("feed.shadow_failed", { error });
    return null;
  });
  return { page, durationMs: Math.round(performance.now() - startedAt) };
}

/** Logs the posts that a user was shown beside those of the service, when its page arrives. */
export async function logOrders(shown: readonly { id: string }[], recommended: Promise<UnseenPage>): Promise<void> {
  const { page, durationMs } = await recommended;
  const shownIds = shown.map(({ id }) => id);
  const recommendedIds = page?.recommendations.map((item) => item.post_id) ?? [];
  metrics.shadowPages.inc({ source: page?.metadata.source ?? "unavailable" });
  metrics.shadowSeconds.observe(durationMs / 1000);
  logger.info("feed.shadow", {
    shown: shownIds,
    recommended: recommendedIds,
    overlap_10: page && overlap(shownIds, recommendedIds),
    source: page?.metadata.source ?? "unavailable",
    model_version: page?.metadata.model_version ?? null,
    request_id: page?.metadata.request_id ?? null,
    duration_ms: durationMs,
  });
}

/** The share of common posts among the first ten of each list, or among as many as the shorter list has. */
function overlap(first: readonly string[], second: readonly string[]): number {
  const length = Math.min(COMPARED_POSTS, first.length, second.length);
  const top = new Set(first.slice(0, length));
  const common = second.slice(0, length).filter((id) => top.has(id)).length;
  return length === 0 ? 0 : common / length;
}
