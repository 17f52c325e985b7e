"use client";

import type { Updates } from "@feed/client";
import { useQuery } from "@tanstack/react-query";

const POLL_MS = 45_000;
const TIMEOUT_MS = 5000;

interface NewPostsProps {
  /** Identifies the list on screen; null if the service did not make it. */
  list: string | null;
  /** The last cursor of the list; null if it has none. */
  cursor: string | null;
  onShow: () => void;
}

/** A button with the number of new posts, if there are any. Counts while the page is visible. */
export function NewPosts({ list, cursor, onShow }: NewPostsProps) {
  const { data } = useQuery({
    queryKey: ["updates", list],
    enabled: list !== null && cursor !== null,
    queryFn: ({ signal }) => fetchUpdates(cursor ?? "", signal),
    initialData: { new: 0, capped: false },
    staleTime: POLL_MS,
    refetchInterval: POLL_MS,
    refetchIntervalInBackground: false,
    networkMode: "always",
    retry: false, // the next poll is soon
  });
  if (data.new === 0) return null;
  const count = `${data.new}${data.capped ? "+" : ""}`;
  return (
    <button
      type="button"
      className="mt-2.5 h-9 rounded-full bg-ink px-4.5 text-sm font-semibold text-paper shadow-overlay"
      onClick={onShow}
    >
      {`${count} new ${data.new === 1 ? "post" : "posts"}`}
    </button>
  );
}

async function fetchUpdates(cursor: string, signal: AbortSignal): Promise<Updates> {
  const response = await fetch(`/api/updates?${new URLSearchParams({ cursor })}`, {
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok) throw new Error(`GET /api/updates: status ${response.status}`);
  return (await response.json()) as Updates;
}
