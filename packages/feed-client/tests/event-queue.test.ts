import assert from "node:assert/strict";
import { beforeEach, describe, it } from "vitest";
import {
  BrowserEventStore,
  type Delivery,
  EventQueue,
  type FeedEvent,
  MemoryEventStore,
  newUuid,
} from "../src/index.ts";

const POST = "11111111-1111-4111-8111-111111111111";
const NOON_MS = Date.parse("2026-03-01T12:00:00Z");

/** A `Storage` in memory with a limit on its number of items. */
class FakeStorage implements Storage {
  private readonly items = new Map<string, string>();
  [name: string]: unknown;
  maxItems = Number.POSITIVE_INFINITY;

  get length(): number {
    return this.items.size;
  }
  key(index: number): string | null {
    return [...this.items.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (this.items.size >= this.maxItems) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
  clear(): void {
    this.items.clear();
  }
}

/** A clock that a test moves, and timers that never run by themselves. */
class Clock {
  private timers: { task: () => void; delayMs: number }[] = [];
  nowMs = NOON_MS;

  schedule = (task: () => void, delayMs: number): (() => void) => {
    const timer = { task, delayMs };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  };

  get delaysMs(): number[] {
    return this.timers.map(({ delayMs }) => delayMs);
  }
}

/** A server that stores events by their id and can be unavailable. */
class Server {
  readonly stored = new Map<string, FeedEvent>();
  deliveries = 0;
  state: "up" | "down" | "response lost" = "up";

  send = async (events: FeedEvent[]): Promise<Delivery> => {
    if (this.state === "down") throw new Error("no response");
    this.deliveries += 1;
    for (const event of events) {
      if (!this.stored.has(event.event_id)) this.stored.set(event.event_id, event);
    }
    if (this.state === "response lost") throw new Error("connection closed");
    return { settled: events.map((event) => event.event_id) };
  };

  beacon = (events: FeedEvent[]): boolean => {
    void this.send(events).catch(() => undefined);
    return true;
  };
}

describe("the event queue", () => {
  let storage: FakeStorage;
  let clock: Clock;
  let server: Server;

  beforeEach(() => {
    storage = new FakeStorage();
    clock = new Clock();
    server = new Server();
  });

  const openPage = (user = "ann"): EventQueue =>
    new EventQueue({
      store: new BrowserEventStore(storage, user),
      send: server.send,
      beacon: server.beacon,
      now: () => clock.nowMs,
      schedule: clock.schedule,
      random: () => 1,
    });

  it("sets the id and the time of an event when it happens, not when it is sent", async () => {
    const queue = openPage();
    const id = queue.add({ post_id: POST, interaction_type: "like" });
    clock.nowMs += 60_000;

    await queue.flush();

    assert.equal(server.stored.get(id)?.occurred_at, "2026-03-01T12:00:00.000Z");
    assert.equal(queue.pendingCount, 0);
  });

  it("sends the events of an outage once, after a reload", async () => {
    server.state = "down";
    const before = openPage();
    before.add({ post_id: POST, interaction_type: "like" });
    before.add({ post_id: POST, interaction_type: "share" });
    await before.flush();
    before.close();
    server.state = "up";

    await openPage().flush();
    await openPage().flush();

    assert.equal(server.stored.size, 2);
    assert.equal(server.deliveries, 1);
  });

  it("sends an event again after a lost response, and it is stored once", async () => {
    server.state = "response lost";
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    await queue.flush();
    server.state = "up";

    await queue.flush();

    assert.equal(server.deliveries, 2);
    assert.equal(server.stored.size, 1);
    assert.equal(queue.pendingCount, 0);
  });

  it("keeps a draft, and sends it when the page is closed", async () => {
    const queue = openPage();
    const view = queue.draft({ post_id: POST, interaction_type: "view" });
    await queue.flush();
    assert.equal(server.stored.size, 0);

    queue.sendBeacons();

    assert.deepEqual([...server.stored.keys()], [view.event_id]);
  });

  it("sends the draft of a crashed page from the next page", async () => {
    const view = openPage().draft({ post_id: POST, interaction_type: "view" });

    await openPage().flush();

    assert.deepEqual([...server.stored.keys()], [view.event_id]);
  });

  it("sends a finalized view with its last dwell time", async () => {
    const queue = openPage();
    const view = queue.draft({ post_id: POST, interaction_type: "view", metadata: { dwell_time_ms: 1000 } });

    queue.finalize({ ...view, metadata: { dwell_time_ms: 3500 } });
    await queue.flush();

    assert.deepEqual(server.stored.get(view.event_id)?.metadata, { dwell_time_ms: 3500 });
  });

  it("keeps the events of a beacon until a delivery settles them", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    server.state = "down";
    queue.sendBeacons();
    await Promise.resolve();
    server.state = "up";

    await openPage().flush();

    assert.equal(server.stored.size, 1);
  });

  it("does not send one user's events from another user's page", async () => {
    openPage("ann").add({ post_id: POST, interaction_type: "like" });

    await openPage("bob").flush();

    assert.equal(server.stored.size, 0);
    assert.equal(openPage("ann").pendingCount, 1);
  });

  it("loses no event if the storage is full", async () => {
    storage.maxItems = 1;
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    queue.add({ post_id: POST, interaction_type: "share" });

    await queue.flush();

    assert.equal(server.stored.size, 2);
  });

  it("ignores malformed values in the storage", async () => {
    storage.setItem("feed-event:ann:x", "{not json");
    const queue = openPage();

    assert.equal(queue.pendingCount, 0);
  });

  it("removes events that are too old for the server", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "view", occurred_at: "2026-02-01T00:00:00Z" });

    await queue.flush();

    assert.deepEqual([server.stored.size, queue.pendingCount], [0, 0]);
  });

  it("sends many pending events in batches, oldest first", async () => {
    const queue = openPage();
    for (let index = 0; index < 250; index += 1) {
      clock.nowMs += 1;
      queue.add({ post_id: POST, interaction_type: "view", metadata: { index } });
    }

    await queue.flush();

    assert.equal(server.deliveries, 3);
    assert.deepEqual(
      [...server.stored.values()].map((event) => event.metadata?.["index"]),
      [...Array(250).keys()],
    );
  });

  it("waits longer after each failure, even if new events arrive", async () => {
    server.state = "down";
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "view" });
    const delaysMs: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await queue.flush();
      queue.add({ post_id: POST, interaction_type: "view" });
      delaysMs.push(...clock.delaysMs);
    }

    assert.deepEqual(delaysMs, [1000, 2000, 4000, 8000]);
  });

  it("does not send events that were withdrawn", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    queue.add({ post_id: POST, interaction_type: "share" });

    const withdrawn = await queue.withdraw((event) => event.interaction_type === "like");
    await queue.flush();

    assert.deepEqual(
      [withdrawn, [...server.stored.values()]].map((events) => events.map((event) => event.interaction_type)),
      [["like"], ["share"]],
    );
  });

  it("withdraws nothing that a running delivery has stored", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    const delivery = queue.flush();

    const withdrawn = await queue.withdraw(() => true);
    await delivery;

    assert.deepEqual([withdrawn, server.stored.size], [[], 1]);
  });

  it("works without browser storage while the page is open", async () => {
    const queue = new EventQueue({ store: new MemoryEventStore(), send: server.send, schedule: clock.schedule });
    queue.add({ post_id: POST, interaction_type: "like" });

    await queue.flush();

    assert.equal(server.stored.size, 1);
  });
});

it("creates version 4 UUIDs without crypto.randomUUID", () => {
  const original = crypto.randomUUID;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  const uuid = newUuid();
  Object.defineProperty(crypto, "randomUUID", { value: original, configurable: true });

  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
