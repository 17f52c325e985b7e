"use client";

import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from "react";
import type { PostAuthor } from "@/lib/feed/post";
import { postJson } from "./post-json";

interface FollowsContext {
  isFollowing: (author: PostAuthor) => boolean;
  /** Shows the follow, or its end, and sends it. Shows the previous state and throws if it cannot be stored. */
  setFollow: (author: PostAuthor, follows: boolean) => Promise<void>;
  /** Resolves when all follows are sent, or after `timeoutMs`. */
  settle: (timeoutMs: number) => Promise<void>;
}

const Context = createContext<FollowsContext | null>(null);
const ENDPOINT = "/api/follows";

export function useFollows(): FollowsContext {
  const follows = useContext(Context);
  if (!follows) throw new Error("useFollows: no FollowsProvider above the component; wrap the page in Providers");
  return follows;
}

/** Holds whom the user has followed and unfollowed on this page, and sends it to the server. */
export function FollowsProvider({ user, children }: { user: string; children: ReactNode }) {
  const [changes, setChanges] = useState<Readonly<Record<string, boolean>>>({});
  const lastCall = useRef<Promise<void>>(Promise.resolve());

  const isFollowing = useCallback((author: PostAuthor) => changes[author.id] ?? author.followed, [changes]);
  const setFollow = useCallback<FollowsContext["setFollow"]>(
    async (author, follows) => {
      const show = (shown: boolean) => setChanges((previous) => ({ ...previous, [author.id]: shown }));
      show(follows);
      // One call at a time, so that the last choice is the one that is stored.
      const call = lastCall.current.then(() => postJson(ENDPOINT, { user, author_id: author.id, follows }));
      lastCall.current = call.catch(() => undefined);
      try {
        await call;
      } catch (error) {
        show(!follows);
        throw error;
      }
    },
    [user],
  );

  const settle = useCallback(
    (timeoutMs: number) =>
      Promise.race([lastCall.current, new Promise<void>((resolve) => setTimeout(resolve, timeoutMs))]),
    [],
  );

  const value = useMemo(() => ({ isFollowing, setFollow, settle }), [isFollowing, setFollow, settle]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
