import type { FeedMode } from "./types";

export type FeedSource = "ml_recommendations" | "random_fallback";

/** What `GET /api/feeds` of the web application answers with. */
export interface FeedPage<Post extends { id: string }> {
  posts: Post[];
  source: FeedSource;
  nextCursor: string | null;
  degraded: boolean;
  exhausted: boolean;
  /** When the list is exhausted: goes on with the posts that the user has met before. */
  rewindCursor: string | null;
  /** The list that was served; not the one asked for while the ranked feed is being rolled out. */
  mode: FeedMode;
  /** The service's name for this answer; events that follow from it carry it. */
  requestId: string | null;
  modelVersion: string | null;
}

/** The web application answered that it has no page. */
export class FeedPageError extends Error {
  override readonly name = "FeedPageError";

  constructor(
    readonly status: number,
    readonly code: string | null,
    message: string,
  ) {
    super(message);
  }
}

/** Fetches one page from the web application's own route; cookies say whose it is. */
export async function fetchFeedPage<Post extends { id: string }>(
  endpoint: string,
  query: { mode: FeedMode; cursor: string | null },
  signal?: AbortSignal,
): Promise<FeedPage<Post>> {
  const parameters = new URLSearchParams({ mode: query.mode });
  if (query.cursor) parameters.set("cursor", query.cursor);
  const response = await fetch(`${endpoint}?${parameters}`, { signal, cache: "no-store" });
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const problem = (body ?? {}) as { code?: string; detail?: string };
    throw new FeedPageError(response.status, problem.code ?? null, problem.detail ?? `status ${response.status}`);
  }
  return body as FeedPage<Post>;
}
