import type { FeedEvent } from "./types";

/** Where events wait until they are known to be stored by the service. */
export interface EventStore {
  put(event: FeedEvent): void;
  remove(eventIds: Iterable<string>): void;
  /** All waiting events, oldest first. */
  all(): FeedEvent[];
}

/** Keeps events for the life of the page only. */
export class MemoryEventStore implements EventStore {
  private readonly events = new Map<string, FeedEvent>();

  put(event: FeedEvent): void {
    this.events.set(event.event_id, event);
  }

  remove(eventIds: Iterable<string>): void {
    for (const id of eventIds) this.events.delete(id);
  }

  all(): FeedEvent[] {
    return inOrder([...this.events.values()]);
  }
}

/**
 * Keeps events in the browser's storage, one key each, so that two tabs of one user never overwrite each other's.
 * What the storage refuses (full, forbidden) is kept in memory.
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
        // storage was taken away after the event was written; a second delivery of it is harmless
      }
    }
  }

  all(): FeedEvent[] {
    const found = this.overflow.all();
    try {
      for (let index = 0; index < this.storage.length; index += 1) {
        const key = this.storage.key(index);
        if (!key?.startsWith(this.prefix)) continue;
        const event = parseEvent(this.storage.getItem(key));
        if (event) found.push(event);
      }
    } catch {
      // nothing can be read: only what is in memory is known
    }
    return inOrder(found);
  }
}

function parseEvent(text: string | null): FeedEvent | null {
  try {
    const event: unknown = JSON.parse(text ?? "");
    if (typeof event !== "object" || event === null) return null;
    const { event_id, post_id, interaction_type, occurred_at } = event as Record<string, unknown>;
    const whole = [event_id, post_id, interaction_type, occurred_at].every((field) => typeof field === "string");
    return whole ? (event as FeedEvent) : null;
  } catch {
    return null;
  }
}

function inOrder(events: FeedEvent[]): FeedEvent[] {
  return events.sort((a, b) => (a.occurred_at < b.occurred_at ? -1 : a.occurred_at > b.occurred_at ? 1 : 0));
}
