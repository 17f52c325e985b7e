"use client";

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { useAnnouncer } from "../announcer";
import { useEvents } from "../events-provider";
import type { QueuePage } from "./queue-page";
import { hasStoredWrites, keyPrefix, type Write, type WriteStates } from "./write";
import type { WriteQueue } from "./write-queue";

type OpenQueue = (page: QueuePage) => WriteQueue;

interface WritesContext {
  user: string;
  states: StoreApi<WriteStates>;
  /** The queue of this page. The component that needs it first opens it, because it is not in the first script. */
  queueOf: (open: OpenQueue) => WriteQueue;
  /** Removes a sent write from the list of the user's writes. */
  forget: (id: string) => void;
  /** The post for which the user is asked whether to delete it. */
  deletion: StoreApi<{ asked: PostToDelete | null }>;
}

/** What is needed to delete a post. */
export interface PostToDelete {
  id: string;
  kind: "post" | "reply";
  parent?: Write["parent"];
}

const Context = createContext<WritesContext | null>(null);

export function useWrites(): WritesContext {
  const writes = useContext(Context);
  if (!writes) throw new Error("useWrites: no WritesProvider above the component; wrap the page in Providers");
  return writes;
}

/** What `select` takes from the writes of the user: a value that only changes when the component has to. */
export function useWriteStates<T>(select: (states: WriteStates) => T): T {
  return useStore(useWrites().states, select);
}

/** Whether the user has deleted a post on this page, and whether the server has confirmed it. */
export function useDeletion(postId: string): "none" | "pending" | "sent" {
  return useWriteStates(({ [postId]: state }) => {
    if (state?.post !== null || state.rejection !== null) return "none";
    return state.sent ? "sent" : "pending";
  });
}

/** Holds what the user writes, until the server has stored it. The queue is loaded when there is something to send. */
export function WritesProvider({ user, children }: { user: string; children: ReactNode }) {
  const { countReplies } = useEvents();
  const client = useQueryClient();
  const { announce, announcer } = useAnnouncer();
  const queue = useRef<WriteQueue>(null);
  const [states] = useState(() => createStore<WriteStates>(() => ({})));
  const [deletion] = useState(() => createStore<{ asked: PostToDelete | null }>(() => ({ asked: null })));

  const queueOf = useCallback(
    (open: OpenQueue) => {
      queue.current ??= open({ user, states, client, countReplies, announce });
      return queue.current;
    },
    [user, states, client, countReplies, announce],
  );

  useEffect(() => {
    const open = () => {
      if (queue.current === null && !hasStoredWrites(user)) return;
      void import("./open-queue").then(
        ({ openQueue }) => queueOf(openQueue).flush(),
        () => undefined, // the browser is offline; "online" comes
      );
    };
    const onStorage = ({ key }: StorageEvent) => {
      if (key?.startsWith(keyPrefix(user))) queue.current?.refresh();
    };
    open();
    addEventListener("online", open);
    addEventListener("storage", onStorage);
    return () => {
      removeEventListener("online", open);
      removeEventListener("storage", onStorage);
      queue.current?.close();
      queue.current = null;
    };
  }, [user, queueOf]);

  const value = useMemo(() => {
    const forget = (id: string) => states.setState(({ [id]: _forgotten, ...others }) => others, true);
    return { user, states, queueOf, forget, deletion };
  }, [user, states, queueOf, deletion]);
  return (
    <Context.Provider value={value}>
      {children}
      {announcer}
    </Context.Provider>
  );
}
