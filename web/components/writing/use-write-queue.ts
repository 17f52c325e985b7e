"use client";

import { newUuid } from "@feed/client";
import { useMemo } from "react";
import { openQueue } from "./open-queue";
import type { Write, WrittenPost } from "./write";
import { useWrites } from "./writes-provider";

/** What a user can do with writes. Only for components that are loaded on first use. */
export function useWriteQueue() {
  const { user, queueOf } = useWrites();
  return useMemo(() => {
    const queue = () => queueOf(openQueue);
    return {
      user,
      /** Sends a new post. Returns its id. */
      post: (post: WrittenPost, parent?: Write["parent"]): string => {
        const id = newUuid();
        void queue().add({ id, createdAt: new Date().toISOString(), post, parent });
        return id;
      },
      /** Deletes a post of the user. */
      delete: (id: string, parent?: Write["parent"]): void => {
        void queue().add({ id, createdAt: new Date().toISOString(), post: null, parent });
      },
      retry: (id: string): void => void queue().retry(id),
      discard: (id: string): void => void queue().discard(id),
    };
  }, [user, queueOf]);
}
