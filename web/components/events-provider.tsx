"use client";

import {
  BrowserEventStore,
  type Delivery,
  EventQueue,
  type FeedEvent,
  type InteractionType,
  MemoryEventStore,
  ViewTracker,
} from "@feed/client";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";

/** What the user did on this page, before the counts of the server know it. */
export interface Engagement {
  liked?: boolean;
  shared?: boolean;
  comments?: number;
}

interface Events {
  user: string;
  /** Null while the page is rendered on the server. */
  queue: EventQueue | null;
  tracker: ViewTracker | null;
  engagement: (postId: string) => Engagement;
  record: (
    postId: string,
    type: Exclude<InteractionType, "view">,
    details?: { requestId?: string | null; metadata?: Record<string, unknown> },
  ) => void;
  /** Brings what is waiting to the server, for at most `ms`. */
  settle: (ms: number) => Promise<void>;
  /** Stops speaking for this user, before another one takes the session. */
  handOver: () => Promise<void>;
}

const Context = createContext<Events | null>(null);
const ENDPOINT = "/api/events";
const SEND_MS = 5000;
const NOTHING: Engagement = {};

export function useEvents(): Events {
  const events = useContext(Context);
  if (!events) throw new Error("useEvents needs an EventsProvider above it");
  return events;
}

export function EventsProvider({ user, children }: { user: string; children: ReactNode }) {
  const made = useMemo(() => (typeof window === "undefined" ? null : makeEvents(user)), [user]);
  const [done, setDone] = useState<Record<string, Engagement>>({});

  useEffect(() => {
    if (!made) return;
    const { queue, tracker } = made;
    const leave = () => {
      tracker.settleAll();
      queue.leave();
    };
    const hidden = () => {
      if (document.visibilityState === "hidden") leave();
    };
    const online = () => void queue.flush();
    queue.open();
    addEventListener("pagehide", leave);
    addEventListener("online", online);
    document.addEventListener("visibilitychange", hidden);
    return () => {
      removeEventListener("pagehide", leave);
      removeEventListener("online", online);
      document.removeEventListener("visibilitychange", hidden);
      queue.close();
    };
  }, [made]);

  const record = useCallback<Events["record"]>(
    (postId, type, { requestId = null, metadata } = {}) => {
      made?.queue.add({ post_id: postId, interaction_type: type, request_id: requestId, metadata }, { urgent: true });
      if (type === "click") return;
      setDone((before) => {
        const { liked, shared, comments = 0 } = before[postId] ?? NOTHING;
        const after = {
          liked: liked || type === "like",
          shared: shared || type === "share",
          comments: comments + (type === "comment" ? 1 : 0),
        };
        return { ...before, [postId]: after };
      });
    },
    [made],
  );

  const value = useMemo<Events>(() => {
    const settle = async (ms: number) => {
      if (!made || made.queue.waiting === 0) return;
      await Promise.race([made.queue.flush(), new Promise<void>((resolve) => setTimeout(resolve, ms))]);
    };
    return {
      user,
      queue: made?.queue ?? null,
      tracker: made?.tracker ?? null,
      engagement: (postId) => done[postId] ?? NOTHING,
      record,
      settle,
      handOver: async () => {
        made?.tracker.settleAll();
        await settle(1500);
        made?.queue.close();
      },
    };
  }, [user, made, done, record]);

  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function makeEvents(user: string): { queue: EventQueue; tracker: ViewTracker } {
  const queue = new EventQueue({
    store: browserStore(user),
    send: (events) => send(user, events),
    beacon: (events) => navigator.sendBeacon(ENDPOINT, new Blob([body(user, events)], { type: "application/json" })),
  });
  return { queue, tracker: new ViewTracker({ queue }) };
}

function browserStore(user: string) {
  try {
    return new BrowserEventStore(localStorage, user);
  } catch {
    return new MemoryEventStore(); // storage is forbidden here: events live as long as the page
  }
}

function body(user: string, events: FeedEvent[]): string {
  return JSON.stringify({ user, events, sent_at: new Date().toISOString() });
}

async function send(user: string, events: FeedEvent[]): Promise<Delivery> {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body(user, events),
    signal: AbortSignal.timeout(SEND_MS),
  });
  const answer = (await response.json()) as { settled?: string[]; code?: string };
  if (response.status === 202 && Array.isArray(answer.settled)) return { settled: answer.settled };
  if (answer.code !== "invalid_events") throw new Error(`events were not taken: ${response.status}`);
  // one that is malformed, by an older version of this page, say, must not hold back the others
  if (events.length === 1) return { settled: events.map((event) => event.event_id) };
  const each = await Promise.all(events.map((event) => send(user, [event])));
  return { settled: each.flatMap(({ settled }) => settled) };
}
