import type { FeedMode } from "@feed/client";

/** The lists of the feed, in the order of the switch. */
export const FEED_MODES = ["ranked", "following", "newest"] as const satisfies readonly FeedMode[];

/** The mode that is the parameter `feed` of the feed's address, or `mode` of a request; null if there is no such list. */
export function feedModeOf(value: unknown): FeedMode | null {
  return FEED_MODES.find((mode) => mode === value) ?? null;
}

/** The address of a list. */
export function feedPath(mode: FeedMode): string {
  return mode === "ranked" ? "/" : `/?feed=${mode}`;
}
