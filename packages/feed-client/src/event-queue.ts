import type { EventStore } from "./event-store";
import type { FeedEvent } from "./types";

export type NewFeedEvent = Omit<FeedEvent, "event_id" | "occurred_at"> &
  Partial<Pick<FeedEvent, "event_id" | "occurred_at">>;

/** What became of a delivery: the ids that need not be sent again, because they are stored or can never be. */
export interface Delivery {
  settled: string[];
}

export interface EventQueueOptions {
  store: EventStore;
  /** Sends a batch; rejects when its fate is unknown, and then it is sent again with the same ids. */
  send(events: FeedEvent[]): Promise<Delivery>;
  /** Hands a batch to the browser while the page goes away; nobody learns whether it arrived. */
  beacon?(events: FeedEvent[]): boolean;
  now?: () => number;
  newId?: () => string;
  random?: () => number;
  /** Runs `task` after `ms`; returns how to call it off. */
  schedule?: (task: () => void, ms: number) => () => void;
}

const BATCH = 100;
/** A beacon may carry 64 KiB in all browsers; an event is some 300 bytes. */
const BEACON_BATCH = 60;
const LINGER_MS = 800;
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];
/** The service refuses what is older than 7 days. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000 - 3600 * 1000;

/**
 * Brings every event to the server at least once, and by its `event_id` counted once. An event leaves the store only
 * when the server has answered for it, so a reload, a crash or an outage in between loses nothing.
 */
export class EventQueue {
  private readonly now: () => number;
  private readonly newId: () => string;
  private readonly random: () => number;
  private readonly schedule: (task: () => void, ms: number) => () => void;
  private readonly drafts = new Set<string>();
  private running: Promise<void> | null = null;
  private cancelTimer: (() => void) | null = null;
  private failures = 0;
  private closed = false;

  constructor(private readonly options: EventQueueOptions) {
    this.now = options.now ?? Date.now;
    this.newId = options.newId ?? newUuid;
    this.random = options.random ?? Math.random;
    this.schedule =
      options.schedule ??
      ((task, ms) => {
        const timer = setTimeout(task, ms);
        return () => clearTimeout(timer);
      });
  }

  /** Stores the event and sends it soon; `urgent` sends it now. Returns its id. */
  add(event: NewFeedEvent, { urgent = false } = {}): string {
    const stored = this.complete(event);
    this.options.store.put(stored);
    this.planAfterChange(urgent);
    return stored.event_id;
  }

  /**
   * Stores an event that may still change, such as a view whose dwell time grows. It is kept over a crash, but sent
   * only by `settle`, by the page going away, or by the next page's queue.
   */
  draft(event: NewFeedEvent): FeedEvent {
    const stored = this.complete(event);
    this.drafts.add(stored.event_id);
    this.options.store.put(stored);
    return stored;
  }

  /** The last word on a draft. */
  settle(event: FeedEvent): void {
    if (!this.drafts.delete(event.event_id)) return;
    this.options.store.put(event);
    this.planAfterChange(false);
  }

  /** Events that the server has not yet answered for. */
  get waiting(): number {
    return this.options.store.all().length;
  }

  /** Sends everything that is ready; resolves when that is done or has failed, never rejects. */
  flush(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.running ??= this.deliver().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /** For the moment when the page is hidden or left. What is handed over stays stored until a later answer. */
  leave(): void {
    if (this.closed) return;
    const events = this.options.store.all();
    this.drafts.clear();
    for (let start = 0; start < events.length; start += BEACON_BATCH) {
      if (!this.options.beacon?.(events.slice(start, start + BEACON_BATCH))) break;
    }
    this.plan(LINGER_MS); // if the page was only hidden, an answer settles them
  }

  /** Sends what an earlier page left behind, and goes on after `close`. */
  open(): void {
    this.closed = false;
    if (this.waiting > 0) this.plan(LINGER_MS);
  }

  /** Sends nothing more; stored events remain for the next queue. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private complete(event: NewFeedEvent): FeedEvent {
    return {
      ...event,
      event_id: event.event_id ?? this.newId(),
      occurred_at: event.occurred_at ?? new Date(this.now()).toISOString(),
    };
  }

  private async deliver(): Promise<void> {
    for (;;) {
      const batch = this.ready().slice(0, BATCH);
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
        const ceiling = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)] ?? LINGER_MS;
        this.failures += 1;
        this.plan(ceiling * (0.5 + this.random() / 2));
        return;
      }
    }
  }

  private ready(): FeedEvent[] {
    const oldest = this.now() - MAX_AGE_MS;
    const stale: string[] = [];
    const ready = this.options.store.all().filter((event) => {
      if (this.drafts.has(event.event_id)) return false;
      if (Date.parse(event.occurred_at) >= oldest) return true;
      stale.push(event.event_id);
      return false;
    });
    this.options.store.remove(stale);
    return ready;
  }

  private planAfterChange(urgent: boolean): void {
    const backingOff = this.failures > 0 && this.cancelTimer !== null;
    if (urgent || !backingOff) this.plan(urgent ? 0 : LINGER_MS);
  }

  private plan(ms: number): void {
    if (this.closed) return;
    this.cancelTimer?.();
    this.cancelTimer = this.schedule(() => void this.flush(), ms);
  }
}

/** A random uuid, also where `crypto.randomUUID` is missing (pages that are not served over https). */
export function newUuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
