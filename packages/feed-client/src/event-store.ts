import { BrowserStore, type ItemFields, type ItemStore, MemoryStore } from "./item-store.ts";
import type { FeedEvent } from "./types.ts";

/** Holds events until the service has stored them. */
export type EventStore = ItemStore<FeedEvent>;

const FIELDS: ItemFields<FeedEvent> = {
  idOf: ({ event_id }) => event_id,
  timeOf: ({ occurred_at }) => occurred_at,
};

/** Keeps events in memory, until the page is closed. */
export class MemoryEventStore extends MemoryStore<FeedEvent> {
  constructor() {
    super(FIELDS);
  }
}

/** Keeps the events of a user in the browser's storage, so that reloads and crashes lose none. */
export class BrowserEventStore extends BrowserStore<FeedEvent> {
  constructor(storage: Storage, user: string) {
    super(storage, `feed-event:${encodeURIComponent(user)}:`, FIELDS, isEvent);
  }
}

function isEvent(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { event_id, post_id, interaction_type, occurred_at } = value as Record<string, unknown>;
  return [event_id, post_id, interaction_type, occurred_at].every((field) => typeof field === "string");
}
