import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type FeedEvent, FeedServiceError, type Interaction } from "@feed/client";
import { deliver, interactionsOf, parseEvents } from "@/lib/feed/events";

const uuid = (place: number) => `${place.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
const NOON = Date.parse("2026-03-01T12:00:00Z");

const event = (place: number, change: Partial<FeedEvent> = {}): FeedEvent => ({
  event_id: uuid(place),
  post_id: uuid(1000 + place),
  interaction_type: "view",
  occurred_at: "2026-03-01T11:59:00.000Z",
  ...change,
});

/** Takes batches as the service does: whole or not at all. */
class Service {
  readonly stored: string[] = [];
  deletedPosts = new Set<string>();
  users = new Set(["ann"]);
  away = false;

  async track(batch: Interaction[]): Promise<void> {
    if (this.away) throw new FeedServiceError("network", "connection refused");
    for (const { user_id, post_id } of batch) {
      if (!this.users.has(user_id)) throw new FeedServiceError("problem", "no such user", 404, "unknown_user");
      if (this.deletedPosts.has(post_id)) throw new FeedServiceError("problem", "no such post", 404, "unknown_post");
    }
    this.stored.push(...batch.map(({ event_id }) => event_id ?? ""));
  }
}

describe("delivering events", () => {
  let service: Service;
  const never = () => assert.fail("nobody was to be registered");
  const batch = (count: number, user = "ann") =>
    interactionsOf(
      user,
      Array.from({ length: count }, (_, place) => event(place)),
      null,
      NOON,
    );

  beforeEach(() => {
    service = new Service();
  });

  it("settles what the service has committed", async () => {
    const { settled, refused } = await deliver(service, batch(3), never);

    assert.deepEqual([settled, refused], [[uuid(0), uuid(1), uuid(2)], []]);
  });

  it("does not let one deleted post hold back the other events", async () => {
    service.deletedPosts.add(uuid(1000 + 5)).add(uuid(1000 + 6));

    const { settled, refused } = await deliver(service, batch(9), never);

    assert.equal(service.stored.length, 7);
    assert.deepEqual(refused, [uuid(5), uuid(6)]);
    assert.equal(settled.length, 9);
  });

  it("settles nothing while the service is away", async () => {
    service.away = true;

    await assert.rejects(deliver(service, batch(3), never), FeedServiceError);
  });

  it("registers a visitor with his first event", async () => {
    const { settled } = await deliver(service, batch(1, "visitor"), async () => {
      service.users.add("visitor");
    });

    assert.deepEqual(settled, [uuid(0)]);
  });

  it("leaves the events of a user to be sent again whom the service still does not know", async () => {
    let registrations = 0;

    await assert.rejects(
      deliver(service, batch(2, "visitor"), async () => {
        registrations += 1;
      }),
      { code: "unknown_user" },
    );
    assert.equal(registrations, 1);
  });

  it("keeps events that a wrong key or a full server turned away", async () => {
    for (const status of [401, 403, 429]) {
      const closed = { track: () => Promise.reject(new FeedServiceError("problem", "no", status)) };

      await assert.rejects(deliver(closed, batch(2), never), { status });
    }
  });
});

describe("the times of events", () => {
  it("are moved from a browser's clock that is wrong", () => {
    const behind = event(1, { occurred_at: "2026-03-01T10:59:30.000Z" });

    const [moved] = interactionsOf("ann", [behind], NOON - 3_600_000, NOON);

    assert.equal(moved?.occurred_at, "2026-03-01T11:59:30.000Z");
  });

  it("are left alone where the difference may be the network's", () => {
    const [kept] = interactionsOf("ann", [event(1)], NOON - 1500, NOON);

    assert.equal(kept?.occurred_at, "2026-03-01T11:59:00.000Z");
  });

  it("never lie in the future", () => {
    const [capped] = interactionsOf("ann", [event(1, { occurred_at: "2027-01-01T00:00:00Z" })], null, NOON);

    assert.equal(capped?.occurred_at, "2026-03-01T12:00:00.000Z");
  });
});

describe("a body of events", () => {
  it("is taken as it stands when it is right", () => {
    const parsed = parseEvents({ user: "ann", events: [event(1)], sent_at: "2026-03-01T12:00:00Z" });

    assert.deepEqual(parsed, { user: "ann", events: [event(1)], sentAt: NOON });
  });

  for (const [name, body, place] of [
    ["no list", {}, /^events must be a list/],
    ["null", null, /^events must be a list/],
    ["an empty list", { events: [] }, /^events must be a list/],
    ["something else than an event", { events: [event(0), 7] }, /^events\[1\]\.event_id/],
    ["an unknown type", { events: [{ ...event(0), interaction_type: "hug" }] }, /interaction_type must be one of/],
    ["a time that is none", { events: [{ ...event(0), occurred_at: "soon" }] }, /occurred_at must be a time/],
    ["metadata that is no object", { events: [{ ...event(0), metadata: [] }] }, /metadata must be an object/],
  ] as const) {
    it(`is refused with ${name}, naming the place`, () => {
      assert.throws(() => parseEvents(body), { name: "SyntaxError", message: place });
    });
  }
});
