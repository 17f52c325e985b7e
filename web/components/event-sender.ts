import {
  BrowserEventStore,
  type Delivery,
  EventQueue,
  type EventStore,
  type FeedEvent,
  type InteractionType,
  MemoryEventStore,
  SeenReporter,
  ViewTracker,
} from "@feed/client";
import { postJson } from "./post-json";

const ENDPOINT = "/api/events";
const SEEN_ENDPOINT = "/api/impressions";
const RETRACTION_ENDPOINT = "/api/events/retract";
const SEND_TIMEOUT_MS = 5000;
/** The events that a user means to send. */
const ACTIONS: ReadonlySet<InteractionType> = new Set<InteractionType>(["like", "share", "comment"]);
/** A like that is this old and still in the queue could not be sent. */
const UNSENT_AFTER_MS = 3000;

/** Sends the events of one user and what they saw, and the rest of both when the page is hidden or closed. */
export class EventSender {
  readonly queue: EventQueue;
  readonly tracker: ViewTracker;
  private readonly seen: SeenReporter;
  private readonly store: EventStore;
  private onUnsent: (count: number) => void = () => undefined;

  constructor(private readonly user: string) {
    this.store = openEventStore(user);
    this.queue = new EventQueue({
      store: this.store,
      send: (events) => this.send(events),
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

  /** The likes, shares and comments in the queue that happened at least `minAgeMs` ago. */
  unsentActions(minAgeMs = 0): FeedEvent[] {
    const latest = new Date(Date.now() - minAgeMs).toISOString();
    return this.store.all().filter((event) => ACTIONS.has(event.interaction_type) && event.occurred_at <= latest);
  }

  /**
   * Opens the queue and listens to the events of the page. Returns a function that stops both. `onUnsent` gets the
   * number of actions that could not be sent yet.
   */
  start(onUnsent: (count: number) => void): () => void {
    this.onUnsent = onUnsent;
    this.reportUnsent(UNSENT_AFTER_MS);
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

  private async send(events: FeedEvent[]): Promise<Delivery> {
    try {
      const delivery = await send(this.user, events);
      const settled = new Set(delivery.settled);
      this.onUnsent(this.unsentActions(UNSENT_AFTER_MS).filter(({ event_id }) => !settled.has(event_id)).length);
      return delivery;
    } catch (error) {
      this.reportUnsent();
      throw error;
    }
  }

  private reportUnsent(minAgeMs = 0): void {
    this.onUnsent(this.unsentActions(minAgeMs).length);
  }

  /** Takes back the user's events of a type with a post. Pending ones are not sent. Throws if that fails. */
  async retract(postId: string, type: InteractionType): Promise<void> {
    const withdrawn = await this.queue.withdraw((event) => event.post_id === postId && event.interaction_type === type);
    try {
      await postJson(RETRACTION_ENDPOINT, { user: this.user, post_id: postId, interaction_type: type });
    } catch (error) {
      for (const event of withdrawn) this.queue.add(event);
      throw error;
    } finally {
      this.reportUnsent(UNSENT_AFTER_MS);
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
