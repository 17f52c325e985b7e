"use client";

import {
  BrowserEventStore,
  type Delivery,
  EventQueue,
  type FeedEvent,
  type InteractionType,
  MemoryEventStore,
  SeenReporter,
  ViewTracker,
} from "@feed/client";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { postJson } from "./post-json";

/** The user's actions on this page. The counts from the server do not include them yet. */
export interface LocalEngagement {
  /** True after a like and false after its removal; undefined without either. */
  liked?: boolean;
  shared?: boolean;
  comments?: number;
}

interface EventsContext {
  user: string;
  /** Null while the page is rendered on the server. */
  tracker: ViewTracker | null;
  /** The user's actions on this page by post. `useEngagement` reads those with one post. */
  engagements: StoreApi<Readonly<Record<string, LocalEngagement>>>;
  /** Adds an event to the queue. */
  record: (
    postId: string,
    type: Exclude<InteractionType, "view">,
    details?: { requestId?: string | null; metadata?: Record<string, unknown> },
  ) => void;
  /** Removes the user's like from a post. Restores it and throws if the server does not confirm the removal. */
  unlike: (postId: string) => Promise<void>;
  /** Sends pending events. Resolves when they are sent, or after `timeoutMs`. */
  flush: (timeoutMs: number) => Promise<void>;
  /** Sends pending events and stops the queue. Call it before the session switches to another user. */
  endSession: () => Promise<void>;
}

const Context = createContext<EventsContext | null>(null);
const ENDPOINT = "/api/events";
const SEEN_ENDPOINT = "/api/impressions";
const RETRACTION_ENDPOINT = "/api/events/retract";
const SEND_TIMEOUT_MS = 5000;
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

  useEffect(() => sender?.start(), [sender]);

  const record = useCallback<EventsContext["record"]>(
    (postId, type, { requestId = null, metadata } = {}) => {
      sender?.queue.add({ post_id: postId, interaction_type: type, request_id: requestId, metadata }, { urgent: true });
      if (type === "click") return;
      engagements.setState((previous) => ({ [postId]: withAction(previous[postId] ?? NO_ENGAGEMENT, type) }));
    },
    [sender, engagements],
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
      record,
      unlike,
      flush,
      endSession: async () => {
        sender?.tracker.finalizeAll();
        await flush(END_SESSION_TIMEOUT_MS);
        sender?.queue.close();
      },
    };
  }, [user, sender, engagements, record, unlike]);

  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function withAction({ liked, shared, comments = 0 }: LocalEngagement, type: InteractionType): LocalEngagement {
  return {
    liked: type === "like" ? true : liked,
    shared: shared || type === "share",
    comments: comments + (type === "comment" ? 1 : 0),
  };
}

/** Sends the events of one user and what they saw, and the rest of both when the page is hidden or closed. */
class EventSender {
  readonly queue: EventQueue;
  readonly tracker: ViewTracker;
  private readonly seen: SeenReporter;

  constructor(private readonly user: string) {
    this.queue = new EventQueue({
      store: openEventStore(user),
      send: (events) => send(user, events),
      beacon: (events) => sendBeacon(ENDPOINT, requestBody(user, events)),
    });
    this.seen = new SeenReporter({
      send: (pages) => postJson(SEEN_ENDPOINT, { user, pages }),
      beacon: (pages) => sendBeacon(SEEN_ENDPOINT, JSON.stringify({ user, pages })),
    });
    this.tracker = new ViewTracker({
      queue: this.queue,
      onVisible: (postId, requestId) => this.seen.add(postId, requestId),
    });
  }

  /** Opens the queue and listens to the events of the page. Returns a function that stops both. */
  start(): () => void {
    const sendAll = () => {
      this.tracker.finalizeAll();
      this.queue.sendBeacons();
      this.seen.sendBeacon();
    };
    const onVisibilityChange = () => {
      if (document.visibilityState === "hidden") sendAll();
    };
    const onOnline = () => void this.queue.flush();
    this.queue.open();
    addEventListener("pagehide", sendAll);
    // A reload requests the next page before `pagehide`, and that page must not show again what was viewed here.
    addEventListener("beforeunload", sendAll);
    addEventListener("online", onOnline);
    document.addEventListener("visibilitychange", onVisibilityChange);
    return () => {
      removeEventListener("pagehide", sendAll);
      removeEventListener("beforeunload", sendAll);
      removeEventListener("online", onOnline);
      document.removeEventListener("visibilitychange", onVisibilityChange);
      this.queue.close();
    };
  }

  /** Takes back the user's events of a type with a post. Pending ones are not sent. Throws if that fails. */
  async retract(postId: string, type: InteractionType): Promise<void> {
    const withdrawn = await this.queue.withdraw((event) => event.post_id === postId && event.interaction_type === type);
    try {
      await postJson(RETRACTION_ENDPOINT, { user: this.user, post_id: postId, interaction_type: type });
    } catch (error) {
      for (const event of withdrawn) this.queue.add(event);
      throw error;
    }
  }

  /** Sends pending events. Resolves when they are sent, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    const sent = Promise.all([this.seen.flush(), this.queue.pendingCount > 0 && this.queue.flush()]);
    await Promise.race([sent, new Promise<void>((resolve) => setTimeout(resolve, timeoutMs))]);
  }
}

function openEventStore(user: string) {
  try {
    return new BrowserEventStore(localStorage, user);
  } catch {
    return new MemoryEventStore(); // the browser forbids storage
  }
}

function sendBeacon(endpoint: string, body: string): boolean {
  return navigator.sendBeacon(endpoint, new Blob([body], { type: "application/json" }));
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
