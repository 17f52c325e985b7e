import type { FeedMode } from "./types.ts";

/** `own_order`: the application's own order, by design. `random_fallback`: the same while the service is unavailable. */
export type FeedSource = "ml_recommendations" | "random_fallback" | "own_order";

/** The response of `GET /api/feeds` of the web application. */
export interface FeedPage<Post extends { id: string }> {
  posts: Post[];
  source: FeedSource;
  /** The cursor of the next page; null at the end of the list. */
  nextCursor: string | null;
  /** True if a part of the system, such as the model or the service, was unavailable. */
  degraded: boolean;
  /** True if the list has no more posts. */
  exhausted: boolean;
  /** At the end of the list: the cursor that continues with posts the user has already seen. */
  rewindCursor: string | null;
  /** The list that was returned. It differs from the requested one for users outside the roll-out. */
  mode: FeedMode;
  /** The id of the service's response. Events on these posts carry it. */
  requestId: string | null;
  modelVersion: string | null;
}

/** The route of the web application that returns pages. */
export const FEED_ENDPOINT = "/api/feeds";

/** The key of a list in the cache of TanStack Query. A server that renders the first page stores it there. */
export function feedQueryKey(list: { user: string; mode: FeedMode; endpoint?: string }): string[] {
  return ["feed", list.endpoint ?? FEED_ENDPOINT, list.user, list.mode];
}

/** The value in the cache for a list of which only the first page is loaded. */
export function listOf<Page>(firstPage: Page): { pages: Page[]; pageParams: (string | null)[] } {
  return { pages: [firstPage], pageParams: [null] };
}

/** The web application returned an error instead of a page. */
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

/** Fetches one page from the web application. The cookies of the session identify the user. */
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
