"use client";

import type { InteractionType, ViewTracker } from "@feed/client";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { EventSender } from "./event-sender";

/** The user's actions on this page. The counts from the server do not include them yet. */
export interface LocalEngagement {
  /** True after a like and false after its removal; undefined without either. */
  liked?: boolean;
  shared?: boolean;
  /** The number of the user's own comments and replies. */
  ownComments?: number;
}

interface EventsContext {
  user: string;
  /** Null while the page is rendered on the server. */
  tracker: ViewTracker | null;
  /** The user's actions on this page by post. `useEngagement` reads those with one post. */
  engagements: StoreApi<Readonly<Record<string, LocalEngagement>>>;
  /** The number of likes and shares that could not be sent yet. */
  unsent: StoreApi<{ count: number }>;
  /** Adds an event to the queue. */
  record: (
    postId: string,
    type: Exclude<InteractionType, "view">,
    details?: { requestId?: string | null; metadata?: Record<string, unknown> },
  ) => void;
  /** Counts a reply that was stored or deleted. `ownBefore` is the number of the user's own replies at that time. */
  countReplies: (postId: string, ownBefore: number, change: 1 | -1) => void;
  /** Removes the user's like from a post. Restores it and throws if the server does not confirm the removal. */
  unlike: (postId: string) => Promise<void>;
  /** Sends pending events. Resolves when they are sent, or after `timeoutMs`. */
  flush: (timeoutMs: number) => Promise<void>;
  /** Sends pending events and stops the queue. Call it before the session switches to another user. */
  endSession: () => Promise<void>;
}

const Context = createContext<EventsContext | null>(null);
const END_SESSION_TIMEOUT_MS = 1500;
const NO_ENGAGEMENT: LocalEngagement = {};

export function useEvents(): EventsContext {
  const events = useContext(Context);
  if (!events)
    throw new Error("useEvents: no EventsProvider above the component; the layout has Providers for a session");
  return events;
}

/** The user's actions with one post on this page. Only a change of these renders the component again. */
export function useEngagement(postId: string): LocalEngagement {
  return useStore(useEvents().engagements, (engagements) => engagements[postId] ?? NO_ENGAGEMENT);
}

export function EventsProvider({ user, children }: { user: string; children: ReactNode }) {
  const sender = useMemo(() => (typeof window === "undefined" ? null : new EventSender(user)), [user]);
  const [engagements] = useState(() => createStore<Readonly<Record<string, LocalEngagement>>>(() => ({})));
  const [unsent] = useState(() => createStore(() => ({ count: 0 })));

  useEffect(() => {
    if (!sender) return;
    // The HTML does not have what an earlier page has left in the queue.
    for (const { post_id, interaction_type } of sender.unsentActions()) {
      engagements.setState((previous) => ({
        [post_id]: withAction(previous[post_id] ?? NO_ENGAGEMENT, interaction_type),
      }));
    }
    return sender.start((count) => unsent.setState({ count }));
  }, [sender, engagements, unsent]);

  const record = useCallback<EventsContext["record"]>(
    (postId, type, { requestId = null, metadata } = {}) => {
      sender?.queue.add({ post_id: postId, interaction_type: type, request_id: requestId, metadata }, { urgent: true });
      if (type === "click") return;
      engagements.setState((previous) => ({ [postId]: withAction(previous[postId] ?? NO_ENGAGEMENT, type) }));
    },
    [sender, engagements],
  );

  const countReplies = useCallback<EventsContext["countReplies"]>(
    (postId, ownBefore, change) =>
      engagements.setState(({ [postId]: engagement }) => ({
        [postId]: { ...engagement, ownComments: (engagement?.ownComments ?? ownBefore) + change },
      })),
    [engagements],
  );

  const unlike = useCallback<EventsContext["unlike"]>(
    async (postId) => {
      const setLiked = (liked: boolean) =>
        engagements.setState((previous) => ({ [postId]: { ...previous[postId], liked } }));
      setLiked(false);
      try {
        await sender?.retract(postId, "like");
      } catch (error) {
        setLiked(true);
        throw error;
      }
    },
    [sender, engagements],
  );

  const value = useMemo<EventsContext>(() => {
    const flush = async (timeoutMs: number) => sender?.flush(timeoutMs);
    return {
      user,
      tracker: sender?.tracker ?? null,
      engagements,
      unsent,
      record,
      countReplies,
      unlike,
      flush,
      endSession: async () => {
        sender?.tracker.finalizeAll();
        await flush(END_SESSION_TIMEOUT_MS);
        sender?.queue.close();
      },
    };
  }, [user, sender, engagements, unsent, record, countReplies, unlike]);

  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function withAction(before: LocalEngagement, type: InteractionType): LocalEngagement {
  return { ...before, ...(type === "like" && { liked: true }), ...(type === "share" && { shared: true }) };
}
