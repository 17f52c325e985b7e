"use client";

import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import type { PostAuthor } from "@/lib/feed/post";
import { CallChain } from "./call-chain";
import { postJson } from "./post-json";

interface FollowsContext {
  /** Whom the user has followed or unfollowed on this page, by author. `useIsFollowing` reads one author. */
  changes: StoreApi<Readonly<Record<string, boolean>>>;
  /** Shows the follow, or its end, and sends it. Shows the previous state and throws if it cannot be stored. */
  setFollow: (author: PostAuthor, follows: boolean) => Promise<void>;
  /** Resolves when all follows are sent, or after `timeoutMs`. */
  settle: (timeoutMs: number) => Promise<void>;
}

const Context = createContext<FollowsContext | null>(null);
const ENDPOINT = "/api/follows";

export function useFollows(): FollowsContext {
  const follows = useContext(Context);
  if (!follows)
    throw new Error("useFollows: no FollowsProvider above the component; the layout has Providers for a session");
  return follows;
}

/** Whether the user follows an author. Only a change of this author renders the component again. */
export function useIsFollowing(author: PostAuthor | null): boolean {
  return useStore(useFollows().changes, (changes) => author !== null && (changes[author.id] ?? author.followed));
}

/** Holds whom the user has followed and unfollowed on this page, and sends it to the server. */
export function FollowsProvider({ user, children }: { user: string; children: ReactNode }) {
  const [changes] = useState(() => createStore<Readonly<Record<string, boolean>>>(() => ({})));
  const [calls] = useState(() => new CallChain());

  const setFollow = useCallback<FollowsContext["setFollow"]>(
    async (author, follows) => {
      const show = (shown: boolean) => changes.setState({ [author.id]: shown });
      show(follows);
      // One call at a time, so that the last choice is the one that is stored.
      try {
        await calls.send(() => postJson(ENDPOINT, { user, author_id: author.id, follows }));
      } catch (error) {
        show(!follows);
        throw error;
      }
    },
    [user, changes, calls],
  );

  const settle = useCallback((timeoutMs: number) => calls.settle(timeoutMs), [calls]);

  const value = useMemo(() => ({ changes, setFollow, settle }), [changes, setFollow, settle]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
