"use client";

import type { FeedPage } from "@feed/client";
import type { Feed } from "@feed/client/react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { PostWithUser } from "@/lib/feed/post";

/** With the time for which the server shares a check, a recovery is noticed within five seconds. */
const MIN_POLL_MS = 2500;
const MAX_POLL_MS = 3500;
const TIMEOUT_MS = 4000;
const RANKED_PAGE_KEY = ["ranked-page"];

export interface Recovery {
  /** The list shows fallback posts, and the service returned no recommendations when it was last checked. */
  unavailable: boolean;
  /** The list shows fallback posts, and the service returns recommendations again. */
  recovered: boolean;
  /** Replaces a list that starts with fallback posts; null if the list does not, or while there is nothing better. */
  showRanked: (() => Promise<void>) | null;
}

/**
 * Finds out when the service recommends posts again while the list shows fallback posts. `rankedPage` is the page that
 * the server still waits for, if this is the list that it belongs to. Without it, the browser checks every few seconds
 * while it is visible.
 */
export function useRecovery(
  feed: Feed<PostWithUser>,
  rankedPage: Promise<FeedPage<PostWithUser> | null> | null,
): Recovery {
  const client = useQueryClient();
  const { entries, lastPage, refresh, replaceWith } = feed;
  const showsFallback = lastPage?.source === "random_fallback";
  const startsWithFallback = entries[0]?.source === "random_fallback";
  const [pollMs] = useState(() => MIN_POLL_MS + Math.random() * (MAX_POLL_MS - MIN_POLL_MS));

  const late = useQuery({
    queryKey: RANKED_PAGE_KEY,
    queryFn: () => rankedPage,
    enabled: showsFallback && rankedPage !== null,
    staleTime: Number.POSITIVE_INFINITY,
    networkMode: "always",
    retry: false,
  });
  const arrived = startsWithFallback && rankedPage !== null ? (late.data ?? null) : null;
  const check = useQuery({
    // A further page of fallback posts means that the service has failed since the last check.
    queryKey: ["availability", lastPage?.nextCursor],
    queryFn: ({ signal }) => fetchAvailability(signal),
    enabled: showsFallback && arrived === null && !(rankedPage !== null && late.isPending),
    refetchInterval: ({ state }) => (state.data ? false : pollMs),
    refetchIntervalInBackground: false,
    networkMode: "always",
    retry: false, // the next check is soon
  });
  const recovered = showsFallback && (arrived !== null || check.data === true);

  const showRanked = useCallback(async () => {
    scrollTo({ top: 0 });
    if (arrived === null) return refresh();
    await replaceWith(arrived);
    client.setQueryData(RANKED_PAGE_KEY, null); // a page is shown once
  }, [arrived, client, refresh, replaceWith]);

  return {
    unavailable: showsFallback && !recovered,
    recovered,
    showRanked: recovered && startsWithFallback ? showRanked : null,
  };
}

async function fetchAvailability(signal: AbortSignal): Promise<boolean> {
  const response = await fetch("/api/availability", {
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok) throw new Error(`GET /api/availability: status ${response.status}`);
  return ((await response.json()) as { available: boolean }).available;
}
