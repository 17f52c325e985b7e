import type { FeedEvent } from "./types.ts";

/** Holds events until the service has stored them. */
export interface EventStore {
  put(event: FeedEvent): void;
  remove(eventIds: Iterable<string>): void;
  /** All pending events, oldest first. */
  all(): FeedEvent[];
}

/** Keeps events in memory, until the page is closed. */
export class MemoryEventStore implements EventStore {
  private readonly events = new Map<string, FeedEvent>();

  put(event: FeedEvent): void {
    this.events.set(event.event_id, event);
  }

  remove(eventIds: Iterable<string>): void {
    for (const id of eventIds) this.events.delete(id);
  }

  all(): FeedEvent[] {
    return sortByTime([...this.events.values()]);
  }
}

/**
 * Keeps events in the browser's storage. Each event has its own key, so that two tabs of one user never overwrite each
 * other's events. If the storage is full or forbidden, events are kept in memory.
 */
export class BrowserEventStore implements EventStore {
  private readonly overflow = new MemoryEventStore();
  private readonly prefix: string;

  constructor(
    private readonly storage: Storage,
    user: string,
  ) {
    this.prefix = `feed-event:${encodeURIComponent(user)}:`;
  }

  put(event: FeedEvent): void {
    try {
      this.storage.setItem(this.prefix + event.event_id, JSON.stringify(event));
      this.overflow.remove([event.event_id]);
    } catch {
      this.overflow.put(event);
    }
  }

  remove(eventIds: Iterable<string>): void {
    for (const id of eventIds) {
      this.overflow.remove([id]);
      try {
        this.storage.removeItem(this.prefix + id);
      } catch {
        // The storage is no longer accessible. The event is sent again later, which is harmless.
      }
    }
  }

  all(): FeedEvent[] {
    const events = this.overflow.all();
    try {
      for (let index = 0; index < this.storage.length; index += 1) {
        const key = this.storage.key(index);
        if (!key?.startsWith(this.prefix)) continue;
        const event = parseEvent(this.storage.getItem(key));
        if (event) events.push(event);
      }
    } catch {
      // The storage cannot be read. Only the events in memory are returned.
    }
    return sortByTime(events);
  }
}

function parseEvent(text: string | null): FeedEvent | null {
  try {
    const event: unknown = JSON.parse(text ?? "");
    if (typeof event !== "object" || event === null) return null;
    const { event_id, post_id, interaction_type, occurred_at } = event as Record<string, unknown>;
    const complete = [event_id, post_id, interaction_type, occurred_at].every((field) => typeof field === "string");
    return complete ? (event as FeedEvent) : null;
  } catch {
    return null;
  }
}

function sortByTime(events: FeedEvent[]): FeedEvent[] {
  return events.sort((a, b) => (a.occurred_at < b.occurred_at ? -1 : a.occurred_at > b.occurred_at ? 1 : 0));
}
