"use client";

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { type FeedPage, FeedPageError, fetchFeedPage } from "./feed-page";
import type { FeedMode } from "./types";

// the types of this hook's options, results and errors, so that one import is enough
export { type FeedPage, FeedPageError, type FeedSource } from "./feed-page";
export type { FeedMode } from "./types";

export interface UseFeedOptions {
  mode: FeedMode;
  /** Whose feed it is; another user's list never shows through. */
  user: string;
  endpoint?: string;
  /** Awaited before the first page, so that a new list knows what the last page's events said. */
  before?: () => Promise<void>;
}

export interface FeedEntry<Post> {
  post: Post;
  requestId: string | null;
  source: FeedPage<never>["source"];
}

export interface Feed<Post extends { id: string }> {
  entries: FeedEntry<Post>[];
  status: "loading" | "ready" | "empty" | "unreachable";
  /** Of the newest page. */
  last: Omit<FeedPage<Post>, "posts"> | null;
  fetchingMore: boolean;
  /** The next page could not be had yet; it is being tried again. */
  struggling: boolean;
  /** The server knows this list no more (another user has signed in, say): only a new one helps. */
  outdated: boolean;
  hasMore: boolean;
  fetchMore: () => void;
  /** Everything new is shown; `showSeen` goes on with what the user has met before. */
  caughtUp: boolean;
  showSeen: (() => void) | null;
  /** Where, in `entries`, the posts met before begin. */
  seenFrom: number | null;
  /** A new list. */
  refresh: () => Promise<void>;
  retryNow: () => void;
}

const RETRY_CEILING_MS = 5000;

/** An endless feed: pages without repeats, which keeps trying while the server is away. */
export function useFeed<Post extends { id: string }>(options: UseFeedOptions): Feed<Post> {
  const { mode, user, endpoint = "/api/feeds", before } = options;
  const client = useQueryClient();
  const [seenAllowed, setSeenAllowed] = useState<string | null>(null);
  const key = useMemo(() => ["feed", endpoint, user, mode], [endpoint, user, mode]);
  const keyText = key.join("\n");

  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }) => {
      if (pageParam === null) await before?.();
      return fetchFeedPage<Post>(endpoint, { mode, cursor: pageParam }, signal);
    },
    getNextPageParam: (page) => page.nextCursor ?? (seenAllowed === keyText ? page.rewindCursor : null),
    // what the server refuses will be refused again; anything else is worth another try, for as long as it takes
    retry: (_count, error) => !(error instanceof FeedPageError && isRefusal(error)),
    retryDelay: (attempt) => Math.min(500 * 2 ** attempt, RETRY_CEILING_MS) * (0.75 + Math.random() / 4),
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    networkMode: "always",
  });

  const pages = query.data?.pages;
  const { entries, seenFrom } = useMemo(() => listOf(pages ?? []), [pages]);
  const last = pages?.at(-1) ?? null;
  const outdated = query.error instanceof FeedPageError && isRefusal(query.error);
  const troubled = query.failureCount > 0 || query.isError;

  const { fetchNextPage, isFetching } = query;
  const fetchMore = useCallback(() => {
    if (!isFetching) void fetchNextPage();
  }, [fetchNextPage, isFetching]);
  const showSeen = useCallback(() => setSeenAllowed(keyText), [keyText]);
  const refresh = useCallback(async () => {
    setSeenAllowed(null);
    await client.resetQueries({ queryKey: key, exact: true });
  }, [client, key]);
  const retryNow = useCallback(() => {
    if (entries.length === 0) void client.resetQueries({ queryKey: key, exact: true });
    else void fetchNextPage({ cancelRefetch: true });
  }, [client, entries.length, fetchNextPage, key]);

  const caughtUp = last?.exhausted === true && last.rewindCursor !== null && seenAllowed !== keyText;
  return {
    entries,
    status:
      entries.length > 0
        ? "ready"
        : !query.isPending
          ? query.isError
            ? "unreachable"
            : "empty"
          : troubled
            ? "unreachable"
            : "loading",
    last,
    fetchingMore: query.isFetchingNextPage,
    struggling: troubled && !outdated && entries.length > 0,
    outdated,
    hasMore: query.hasNextPage,
    fetchMore,
    caughtUp,
    showSeen: caughtUp ? showSeen : null,
    seenFrom,
    refresh,
    retryNow,
  };
}

function isRefusal(error: FeedPageError): boolean {
  return error.status >= 400 && error.status < 500;
}

function listOf<Post extends { id: string }>(pages: FeedPage<Post>[]) {
  const entries: FeedEntry<Post>[] = [];
  const known = new Set<string>();
  let seenFrom: number | null = null;
  let exhausted = false;
  for (const page of pages) {
    if (exhausted && seenFrom === null) seenFrom = entries.length;
    for (const post of page.posts) {
      if (known.has(post.id)) continue; // React keys must be unique, whatever a server answers
      known.add(post.id);
      entries.push({ post, requestId: page.requestId, source: page.source });
    }
    exhausted ||= page.exhausted && page.rewindCursor !== null;
  }
  return { entries, seenFrom };
}
