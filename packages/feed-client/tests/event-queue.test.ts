import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { BrowserEventStore, type Delivery, EventQueue, type FeedEvent, MemoryEventStore, newUuid } from "../src/index";

const POST = "11111111-1111-4111-8111-111111111111";
const NOON = Date.parse("2026-03-01T12:00:00Z");

/** The part of the web's Storage that browsers implement, with a size limit. */
class FakeStorage implements Storage {
  private readonly items = new Map<string, string>();
  [name: string]: unknown;
  room = Number.POSITIVE_INFINITY;

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
    if (this.items.size >= this.room) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
  clear(): void {
    this.items.clear();
  }
}

/** Timers that fire when the test says so. */
class Clock {
  private planned: { task: () => void; ms: number }[] = [];
  now = NOON;

  schedule = (task: () => void, ms: number): (() => void) => {
    const entry = { task, ms };
    this.planned.push(entry);
    return () => {
      this.planned = this.planned.filter((other) => other !== entry);
    };
  };

  get waits(): number[] {
    return this.planned.map(({ ms }) => ms);
  }
}

/** A server that stores by event id and can be away. */
class Server {
  readonly stored = new Map<string, FeedEvent>();
  deliveries = 0;
  mode: "up" | "down" | "answer lost" = "up";
  refuses: (event: FeedEvent) => boolean = () => false;

  send = async (events: FeedEvent[]): Promise<Delivery> => {
    if (this.mode === "down") throw new Error("no answer");
    this.deliveries += 1;
    for (const event of events) {
      if (!this.refuses(event) && !this.stored.has(event.event_id)) this.stored.set(event.event_id, event);
    }
    if (this.mode === "answer lost") throw new Error("connection closed");
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
      now: () => clock.now,
      schedule: clock.schedule,
      random: () => 1,
    });

  it("gives an event its id and its time when it happens, not when it is sent", async () => {
    const queue = openPage();
    const id = queue.add({ post_id: POST, interaction_type: "like" });
    clock.now += 60_000;

    await queue.flush();

    assert.equal(server.stored.get(id)?.occurred_at, "2026-03-01T12:00:00.000Z");
    assert.equal(queue.waiting, 0);
  });

  it("brings what was done during an outage after a reload, once", async () => {
    server.mode = "down";
    const before = openPage();
    before.add({ post_id: POST, interaction_type: "like" });
    before.add({ post_id: POST, interaction_type: "share" });
    await before.flush();
    before.close();
    server.mode = "up";

    await openPage().flush();
    await openPage().flush();

    assert.equal(server.stored.size, 2);
    assert.equal(server.deliveries, 1);
  });

  it("counts an event once whose answer was lost", async () => {
    server.mode = "answer lost";
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    await queue.flush();
    server.mode = "up";

    await queue.flush();

    assert.equal(server.deliveries, 2);
    assert.equal(server.stored.size, 1);
    assert.equal(queue.waiting, 0);
  });

  it("keeps a view that nobody settled, and sends it when the page goes away", async () => {
    const queue = openPage();
    const view = queue.draft({ post_id: POST, interaction_type: "view" });
    await queue.flush();
    assert.equal(server.stored.size, 0);

    queue.leave();

    assert.deepEqual([...server.stored.keys()], [view.event_id]);
  });

  it("sends a view that a crashed page left behind from the next page", async () => {
    const view = openPage().draft({ post_id: POST, interaction_type: "view" });

    await openPage().flush();

    assert.deepEqual([...server.stored.keys()], [view.event_id]);
  });

  it("sends a view with the dwell time it was settled with", async () => {
    const queue = openPage();
    const view = queue.draft({ post_id: POST, interaction_type: "view", metadata: { dwell_time_ms: 1000 } });

    queue.settle({ ...view, metadata: { dwell_time_ms: 3500 } });
    await queue.flush();

    assert.deepEqual(server.stored.get(view.event_id)?.metadata, { dwell_time_ms: 3500 });
  });

  it("does not trust a beacon: what it carried stays until an answer settles it", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    server.mode = "down";
    queue.leave();
    await Promise.resolve();
    server.mode = "up";

    await openPage().flush();

    assert.equal(server.stored.size, 1);
  });

  it("keeps one user's events from another's page", async () => {
    openPage("ann").add({ post_id: POST, interaction_type: "like" });

    await openPage("bob").flush();

    assert.equal(server.stored.size, 0);
    assert.equal(openPage("ann").waiting, 1);
  });

  it("loses nothing when the storage is full", async () => {
    storage.room = 1;
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "like" });
    queue.add({ post_id: POST, interaction_type: "share" });

    await queue.flush();

    assert.equal(server.stored.size, 2);
  });

  it("ignores what is not an event under its own keys", async () => {
    storage.setItem("feed-event:ann:x", "{not json");
    const queue = openPage();

    assert.equal(queue.waiting, 0);
  });

  it("lets go of what is too old for the server to take", async () => {
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "view", occurred_at: "2026-02-01T00:00:00Z" });

    await queue.flush();

    assert.deepEqual([server.stored.size, queue.waiting], [0, 0]);
  });

  it("sends a long backlog in batches, oldest first", async () => {
    const queue = openPage();
    for (let index = 0; index < 250; index += 1) {
      clock.now += 1;
      queue.add({ post_id: POST, interaction_type: "view", metadata: { index } });
    }

    await queue.flush();

    assert.equal(server.deliveries, 3);
    assert.deepEqual(
      [...server.stored.values()].map((event) => event.metadata?.["index"]),
      [...Array(250).keys()],
    );
  });

  it("waits longer after each failure, and is not hurried by further views", async () => {
    server.mode = "down";
    const queue = openPage();
    queue.add({ post_id: POST, interaction_type: "view" });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await queue.flush();
      queue.add({ post_id: POST, interaction_type: "view" });
      waits.push(...clock.waits);
    }

    assert.deepEqual(waits, [1000, 2000, 4000, 8000]);
  });

  it("works without storage for the life of the page", async () => {
    const queue = new EventQueue({ store: new MemoryEventStore(), send: server.send, schedule: clock.schedule });
    queue.add({ post_id: POST, interaction_type: "like" });

    await queue.flush();

    assert.equal(server.stored.size, 1);
  });
});

it("makes version 4 uuids where the browser offers none", () => {
  const own = crypto.randomUUID;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  const made = newUuid();
  Object.defineProperty(crypto, "randomUUID", { value: own, configurable: true });

  assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
