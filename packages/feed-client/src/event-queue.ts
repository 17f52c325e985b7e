import type { EventStore } from "./event-store.ts";
import type { FeedEvent } from "./types.ts";

export type NewFeedEvent = Omit<FeedEvent, "event_id" | "occurred_at"> &
  Partial<Pick<FeedEvent, "event_id" | "occurred_at">>;

/** The result of a delivery. */
export interface Delivery {
  /** The ids of the events that are stored, or that can never be stored. They are not sent again. */
  settled: string[];
}

export interface EventQueueOptions {
  store: EventStore;
  /** Sends a batch. If the promise is rejected, the result is unknown, and the events are sent again later. */
  send(events: FeedEvent[]): Promise<Delivery>;
  /** Passes a batch to the browser, which sends it even if the page is closed. The result stays unknown. */
  beacon?(events: FeedEvent[]): boolean;
  now?: () => number;
  newId?: () => string;
  random?: () => number;
  /** Runs `task` after `delayMs` and returns a function that cancels it. */
  schedule?: (task: () => void, delayMs: number) => () => void;
}

const MAX_BATCH_EVENTS = 100;
/** All browsers accept beacons of up to 64 KiB, and an event has about 300 bytes. */
const MAX_BEACON_EVENTS = 60;
/** Events are collected for this long before they are sent. */
const BATCH_DELAY_MS = 800;
const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];
/** The service rejects events older than 7 days. One hour is left for the delivery. */
const MAX_EVENT_AGE_MS = 7 * 24 * 3600 * 1000 - 3600 * 1000;

/**
 * Sends every event to the server at least once. The server recognises repeated events by their `event_id`. An event
 * stays in the store until the server has settled it, so reloads, crashes and outages lose no event.
 */
export class EventQueue {
  private readonly now: () => number;
  private readonly newId: () => string;
  private readonly random: () => number;
  private readonly schedule: (task: () => void, delayMs: number) => () => void;
  private readonly draftIds = new Set<string>();
  private delivery: Promise<void> | null = null;
  private cancelTimer: (() => void) | null = null;
  private failures = 0;
  private closed = false;

  constructor(private readonly options: EventQueueOptions) {
    this.now = options.now ?? Date.now;
    this.newId = options.newId ?? newUuid;
    this.random = options.random ?? Math.random;
    this.schedule =
      options.schedule ??
      ((task, delayMs) => {
        const timer = setTimeout(task, delayMs);
        return () => clearTimeout(timer);
      });
  }

  /** Stores an event and schedules its delivery, with `urgent` without delay. Returns the id of the event. */
  add(event: NewFeedEvent, { urgent = false } = {}): string {
    const stored = this.withIdAndTime(event);
    this.options.store.put(stored);
    this.scheduleAfterChange(urgent);
    return stored.event_id;
  }

  /**
   * Stores an event that may still change, such as a view whose dwell time grows. It survives a crash. It is sent
   * after `finalize`, by `sendBeacons`, or by the queue of the next page.
   */
  draft(event: NewFeedEvent): FeedEvent {
    const stored = this.withIdAndTime(event);
    this.draftIds.add(stored.event_id);
    this.options.store.put(stored);
    return stored;
  }

  /** Stores the final form of a draft and schedules its delivery. */
  finalize(event: FeedEvent): void {
    if (!this.draftIds.delete(event.event_id)) return;
    this.options.store.put(event);
    this.scheduleAfterChange(false);
  }

  /**
   * Removes the pending events that match, after the end of a running delivery, and returns them. The server may have
   * stored some of them, if the response to their delivery was lost.
   */
  async withdraw(matches: (event: FeedEvent) => boolean): Promise<FeedEvent[]> {
    while (this.delivery) await this.delivery;
    const withdrawn = this.options.store.all().filter(matches);
    const ids = withdrawn.map((event) => event.event_id);
    for (const id of ids) this.draftIds.delete(id);
    this.options.store.remove(ids);
    return withdrawn;
  }

  /** The number of events that the server has not settled yet. */
  get pendingCount(): number {
    return this.options.store.all().length;
  }

  /** Sends all events except drafts. The promise resolves after success and after failure; it is never rejected. */
  flush(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.delivery ??= this.deliver().finally(() => {
      this.delivery = null;
    });
    return this.delivery;
  }

  /**
   * Sends all events, drafts included, as beacons. Call it when the page is hidden or closed. The events stay in the
   * store until a later delivery settles them.
   */
  sendBeacons(): void {
    if (this.closed) return;
    const events = this.options.store.all();
    this.draftIds.clear();
    for (let start = 0; start < events.length; start += MAX_BEACON_EVENTS) {
      if (!this.options.beacon?.(events.slice(start, start + MAX_BEACON_EVENTS))) break;
    }
    this.scheduleFlush(BATCH_DELAY_MS); // runs if the page was only hidden
  }

  /** Starts or resumes deliveries, first with the events that an earlier page left in the store. */
  open(): void {
    this.closed = false;
    if (this.pendingCount > 0) this.scheduleFlush(BATCH_DELAY_MS);
  }

  /** Stops deliveries. Stored events remain for the next queue. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private withIdAndTime(event: NewFeedEvent): FeedEvent {
    return {
      ...event,
      event_id: event.event_id ?? this.newId(),
      occurred_at: event.occurred_at ?? new Date(this.now()).toISOString(),
    };
  }

  private async deliver(): Promise<void> {
    for (;;) {
      const batch = this.readyEvents().slice(0, MAX_BATCH_EVENTS);
      if (batch.length === 0) {
        this.failures = 0;
        return;
      }
      let settled: string[];
      try {
        settled = (await this.options.send(batch)).settled;
      } catch {
        settled = [];
      }
      this.options.store.remove(settled);
      if (settled.length < batch.length) {
        this.failures += 1;
        this.scheduleFlush(retryDelayMs(this.failures, this.random));
        return;
      }
    }
  }

  /** The events to send, without drafts. Removes events that are too old for the service. */
  private readyEvents(): FeedEvent[] {
    const oldestAllowed = this.now() - MAX_EVENT_AGE_MS;
    const expiredIds: string[] = [];
    const ready = this.options.store.all().filter((event) => {
      if (this.draftIds.has(event.event_id)) return false;
      if (Date.parse(event.occurred_at) >= oldestAllowed) return true;
      expiredIds.push(event.event_id);
      return false;
    });
    this.options.store.remove(expiredIds);
    return ready;
  }

  private scheduleAfterChange(urgent: boolean): void {
    const waitsForRetry = this.failures > 0 && this.cancelTimer !== null;
    if (urgent || !waitsForRetry) this.scheduleFlush(urgent ? 0 : BATCH_DELAY_MS);
  }

  private scheduleFlush(delayMs: number): void {
    if (this.closed) return;
    this.cancelTimer?.();
    this.cancelTimer = this.schedule(() => void this.flush(), delayMs);
  }
}

/** The time until the next attempt after so many failures in a row, from 1: up to 30 seconds, shortened at random. */
export function retryDelayMs(failures: number, random: () => number = Math.random): number {
  const maxDelayMs = RETRY_DELAYS_MS[Math.min(failures, RETRY_DELAYS_MS.length) - 1] ?? 0;
  return maxDelayMs * (0.5 + random() / 2);
}

/** A random UUID. Works without `crypto.randomUUID` too, which browsers provide only to pages served over https. */
export function newUuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
