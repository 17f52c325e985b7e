import type { QueryClient } from "@tanstack/react-query";
import type { StoreApi } from "zustand";
import type { WriteStates } from "./write";

/** The page for which a queue sends writes. */
export interface QueuePage {
  user: string;
  states: StoreApi<WriteStates>;
  /** The cache of lists, with the replies to each post. */
  client: QueryClient;
  countReplies: (postId: string, ownBefore: number, change: 1 | -1) => void;
  announce: (message: string) => void;
}
