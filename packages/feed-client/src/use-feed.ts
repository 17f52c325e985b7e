"use client";

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { FEED_ENDPOINT, type FeedPage, FeedPageError, feedQueryKey, fetchFeedPage, listOf } from "./feed-page.ts";
import type { FeedMode } from "./types.ts";

// The types of the hook's options, results and errors, so that callers need only this entry.
export { type FeedPage, FeedPageError, type FeedSource } from "./feed-page.ts";
export type { FeedMode } from "./types.ts";

export interface UseFeedOptions {
  mode: FeedMode;
  /** The id of the user whose feed is shown. Each user has a list of their own in the cache. */
  user: string;
  /** The route that returns pages. Default: `FEED_ENDPOINT`. */
  endpoint?: string;
  /** Awaited before the first page is requested, for example to send pending events first. */
  beforeFirstPage?: () => Promise<void>;
}

export interface FeedEntry<Post> {
  post: Post;
  requestId: string | null;
  source: FeedPage<never>["source"];
}

export interface Feed<Post extends { id: string }> {
  entries: FeedEntry<Post>[];
  status: "loading" | "ready" | "empty" | "unreachable";
  /** The metadata of the page fetched last. */
  lastPage: Omit<FeedPage<Post>, "posts"> | null;
  fetchingMore: boolean;
  /** The next page could not be fetched, and the hook tries again. */
  retrying: boolean;
  /** The server rejects the cursor, for example because another user has signed in. A new list is needed. */
  outdated: boolean;
  hasMore: boolean;
  fetchMore: () => void;
  /** All unseen posts are shown. `showSeen` continues with posts that the user has already seen. */
  caughtUp: boolean;
  showSeen: (() => void) | null;
  /** The index in `entries` of the first post from `showSeen`; null if there is none. */
  firstSeenIndex: number | null;
  /** Loads a new list. */
  refresh: () => Promise<void>;
  /** Shows a new list that starts with a page fetched elsewhere, such as by the server. */
  replaceWith: (firstPage: FeedPage<Post>) => Promise<void>;
  /** Tries again at once instead of after the retry delay. */
  retryNow: () => void;
}

const MAX_RETRY_DELAY_MS = 5000;

/** An endless feed without repeated posts. Failed requests are retried until the server responds. */
export function useFeed<Post extends { id: string }>(options: UseFeedOptions): Feed<Post> {
  const { mode, user, endpoint = FEED_ENDPOINT } = options;
  const client = useQueryClient();
  const key = useMemo(() => feedQueryKey({ endpoint, user, mode }), [endpoint, user, mode]);
  const keyText = key.join("\n");
  const [includeSeenKey, setIncludeSeenKey] = useState<string | null>(null);
  const includeSeen = includeSeenKey === keyText;
  const query = useFeedQuery<Post>(key, { ...options, endpoint }, includeSeen);

  const pages = query.data?.pages;
  const { entries, firstSeenIndex } = useMemo(() => mergePages(pages ?? []), [pages]);
  const lastPage = pages?.at(-1) ?? null;
  const outdated = isRejection(query.error);
  const hasErrors = query.failureCount > 0 || query.isError;
  const caughtUp = lastPage?.exhausted === true && lastPage.rewindCursor !== null && !includeSeen;

  const { fetchNextPage, isFetching } = query;
  const fetchMore = useCallback(() => {
    if (!isFetching) void fetchNextPage();
  }, [fetchNextPage, isFetching]);
  const showSeen = useCallback(() => setIncludeSeenKey(keyText), [keyText]);
  const refresh = useCallback(async () => {
    setIncludeSeenKey(null);
    await client.resetQueries({ queryKey: key, exact: true });
  }, [client, key]);
  const replaceWith = useCallback(
    async (firstPage: FeedPage<Post>) => {
      setIncludeSeenKey(null);
      await client.cancelQueries({ queryKey: key, exact: true });
      client.setQueryData(key, listOf(firstPage));
    },
    [client, key],
  );
  const retryNow = useCallback(() => {
    if (entries.length === 0) void client.resetQueries({ queryKey: key, exact: true });
    else void fetchNextPage({ cancelRefetch: true });
  }, [client, entries.length, fetchNextPage, key]);

  return {
    entries,
    status: entries.length > 0 ? "ready" : statusWithoutPosts(query, hasErrors),
    lastPage,
    fetchingMore: query.isFetchingNextPage,
    retrying: hasErrors && !outdated && entries.length > 0,
    outdated,
    hasMore: query.hasNextPage,
    fetchMore,
    caughtUp,
    showSeen: caughtUp ? showSeen : null,
    firstSeenIndex,
    refresh,
    replaceWith,
    retryNow,
  };
}

function useFeedQuery<Post extends { id: string }>(
  key: string[],
  { mode, endpoint, beforeFirstPage }: UseFeedOptions & { endpoint: string },
  includeSeen: boolean,
) {
  return useInfiniteQuery({
    queryKey: key,
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }) => {
      if (pageParam === null) await beforeFirstPage?.();
      return fetchFeedPage<Post>(endpoint, { mode, cursor: pageParam }, signal);
    },
    getNextPageParam: (page) => page.nextCursor ?? (includeSeen ? page.rewindCursor : null),
    // The server would reject an invalid request again. Any other failure is retried without a limit.
    retry: (_count, error) => !isRejection(error),
    retryDelay: (attempt) => Math.min(500 * 2 ** attempt, MAX_RETRY_DELAY_MS) * (0.75 + Math.random() / 4),
    // The list on screen changes only when the user asks for it, and is the same after a visit to another page.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    networkMode: "always",
  });
}

function statusWithoutPosts(
  { isPending, isError }: { isPending: boolean; isError: boolean },
  hasErrors: boolean,
): "loading" | "empty" | "unreachable" {
  if (isPending) return hasErrors ? "unreachable" : "loading";
  return isError ? "unreachable" : "empty";
}

/** True if the server rejected the request itself, with a status from 400 to 499. */
function isRejection(error: Error | null): boolean {
  return error instanceof FeedPageError && error.status >= 400 && error.status < 500;
}

/** The entries of all pages in order, each post once. */
function mergePages<Post extends { id: string }>(pages: FeedPage<Post>[]) {
  const entries: FeedEntry<Post>[] = [];
  const postIds = new Set<string>();
  let firstSeenIndex: number | null = null;
  let exhausted = false;
  for (const page of pages) {
    if (exhausted && firstSeenIndex === null) firstSeenIndex = entries.length;
    for (const post of page.posts) {
      if (postIds.has(post.id)) continue; // React keys must be unique even if a server repeats a post
      postIds.add(post.id);
      entries.push({ post, requestId: page.requestId, source: page.source });
    }
    exhausted ||= page.exhausted && page.rewindCursor !== null;
  }
  return { entries, firstSeenIndex };
}
