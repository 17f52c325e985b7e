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

/** The user's actions on this page. The counts from the server do not include them yet. */
export interface LocalEngagement {
  liked?: boolean;
  shared?: boolean;
  comments?: number;
}

interface EventsContext {
  user: string;
  /** Null while the page is rendered on the server. */
  queue: EventQueue | null;
  tracker: ViewTracker | null;
  engagementOf: (postId: string) => LocalEngagement;
  /** Adds an event to the queue. */
  record: (
    postId: string,
    type: Exclude<InteractionType, "view">,
    details?: { requestId?: string | null; metadata?: Record<string, unknown> },
  ) => void;
  /** Sends pending events. Resolves when they are sent, or after `timeoutMs`. */
  flush: (timeoutMs: number) => Promise<void>;
  /** Sends pending events and stops the queue. Call it before the session switches to another user. */
  endSession: () => Promise<void>;
}

const Context = createContext<EventsContext | null>(null);
const ENDPOINT = "/api/events";
const SEND_TIMEOUT_MS = 5000;
const END_SESSION_TIMEOUT_MS = 1500;
const NO_ENGAGEMENT: LocalEngagement = {};

export function useEvents(): EventsContext {
  const events = useContext(Context);
  if (!events) throw new Error("useEvents: no EventsProvider above the component; wrap the page in Providers");
  return events;
}

export function EventsProvider({ user, children }: { user: string; children: ReactNode }) {
  const sender = useMemo(() => (typeof window === "undefined" ? null : createSender(user)), [user]);
  const [engagements, setEngagements] = useState<Record<string, LocalEngagement>>({});

  useEffect(() => {
    if (!sender) return;
    const { queue, tracker } = sender;
    const sendNow = () => {
      tracker.finalizeAll();
      queue.sendBeacons();
    };
    const onVisibilityChange = () => {
      if (document.visibilityState === "hidden") sendNow();
    };
    const onOnline = () => void queue.flush();
    queue.open();
    addEventListener("pagehide", sendNow);
    addEventListener("online", onOnline);
    document.addEventListener("visibilitychange", onVisibilityChange);
    return () => {
      removeEventListener("pagehide", sendNow);
      removeEventListener("online", onOnline);
      document.removeEventListener("visibilitychange", onVisibilityChange);
      queue.close();
    };
  }, [sender]);

  const record = useCallback<EventsContext["record"]>(
    (postId, type, { requestId = null, metadata } = {}) => {
      sender?.queue.add({ post_id: postId, interaction_type: type, request_id: requestId, metadata }, { urgent: true });
      if (type === "click") return;
      setEngagements((previous) => {
        const { liked, shared, comments = 0 } = previous[postId] ?? NO_ENGAGEMENT;
        const updated = {
          liked: liked || type === "like",
          shared: shared || type === "share",
          comments: comments + (type === "comment" ? 1 : 0),
        };
        return { ...previous, [postId]: updated };
      });
    },
    [sender],
  );

  const value = useMemo<EventsContext>(() => {
    const flush = async (timeoutMs: number) => {
      if (!sender || sender.queue.pendingCount === 0) return;
      await Promise.race([sender.queue.flush(), new Promise<void>((resolve) => setTimeout(resolve, timeoutMs))]);
    };
    return {
      user,
      queue: sender?.queue ?? null,
      tracker: sender?.tracker ?? null,
      engagementOf: (postId) => engagements[postId] ?? NO_ENGAGEMENT,
      record,
      flush,
      endSession: async () => {
        sender?.tracker.finalizeAll();
        await flush(END_SESSION_TIMEOUT_MS);
        sender?.queue.close();
      },
    };
  }, [user, sender, engagements, record]);

  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function createSender(user: string): { queue: EventQueue; tracker: ViewTracker } {
  const queue = new EventQueue({
    store: createStore(user),
    send: (events) => send(user, events),
    beacon: (events) =>
      navigator.sendBeacon(ENDPOINT, new Blob([requestBody(user, events)], { type: "application/json" })),
  });
  return { queue, tracker: new ViewTracker({ queue }) };
}

function createStore(user: string) {
  try {
    return new BrowserEventStore(localStorage, user);
  } catch {
    return new MemoryEventStore(); // the browser forbids storage
  }
}

function requestBody(user: string, events: FeedEvent[]): string {
  return JSON.stringify({ user, events, sent_at: new Date().toISOString() });
}

async function send(user: string, events: FeedEvent[]): Promise<Delivery> {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: requestBody(user, events),
    signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
  });
  const body = (await response.json()) as { settled?: string[]; code?: string };
  if (response.status === 202 && Array.isArray(body.settled)) return { settled: body.settled };
  if (body.code !== "invalid_events") throw new Error(`POST ${ENDPOINT}: status ${response.status}`);
  // A malformed event, for example from an older version of this page, must not block the other events.
  if (events.length === 1) return { settled: events.map((event) => event.event_id) };
  const results = await Promise.all(events.map((event) => send(user, [event])));
  return { settled: results.flatMap(({ settled }) => settled) };
}
