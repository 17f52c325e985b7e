import assert from "node:assert/strict";
import { type FeedEvent, FeedServiceError, type Interaction } from "@feed/client";
import { beforeEach, describe, it } from "vitest";
import { deliver, eventsBody, toInteractions } from "@/lib/feed/events";
import { parseBody } from "@/lib/platform/body";

const uuid = (index: number) => `${index.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
const NOON_MS = Date.parse("2026-03-01T12:00:00Z");

const event = (index: number, change: Partial<FeedEvent> = {}): FeedEvent => ({
  event_id: uuid(index),
  post_id: uuid(1000 + index),
  interaction_type: "view",
  occurred_at: "2026-03-01T11:59:00.000Z",
  ...change,
});

/** A service that stores a batch completely or not at all. */
class Service {
  readonly stored: string[] = [];
  deletedPosts = new Set<string>();
  users = new Set(["ann"]);
  unavailable = false;
  latestTime = Infinity;

  async track(batch: Interaction[]): Promise<void> {
    if (this.unavailable) throw new FeedServiceError("network", "connection rejected");
    for (const { user_id, post_id, occurred_at } of batch) {
      if (Date.parse(occurred_at ?? "") > this.latestTime) {
        throw new FeedServiceError("problem", "the clock is ahead", 409, "clock_ahead");
      }
      if (!this.users.has(user_id)) throw new FeedServiceError("problem", "no such user", 404, "unknown_user");
      if (this.deletedPosts.has(post_id)) throw new FeedServiceError("problem", "no such post", 404, "unknown_post");
    }
    this.stored.push(...batch.map(({ event_id }) => event_id ?? ""));
  }
}

describe("delivering events", () => {
  let service: Service;
  const failOnRegistration = () => assert.fail("the user was registered");
  const batch = (count: number, user = "ann") =>
    toInteractions(
      user,
      Array.from({ length: count }, (_, index) => event(index)),
      null,
      NOON_MS,
    );

  beforeEach(() => {
    service = new Service();
  });

  it("settles the events that the service has committed", async () => {
    const { settled, rejected } = await deliver(service, batch(3), failOnRegistration);

    assert.deepEqual([settled, rejected], [[uuid(0), uuid(1), uuid(2)], []]);
  });

  it("stores the other events if some posts are deleted", async () => {
    service.deletedPosts.add(uuid(1000 + 5)).add(uuid(1000 + 6));

    const { settled, rejected } = await deliver(service, batch(9), failOnRegistration);

    assert.equal(service.stored.length, 7);
    assert.deepEqual(rejected, [uuid(5), uuid(6)]);
    assert.equal(settled.length, 9);
  });

  it("settles no event while the service is unavailable", async () => {
    service.unavailable = true;

    await assert.rejects(deliver(service, batch(3), failOnRegistration), FeedServiceError);
  });

  it("registers a visitor before their first event is stored", async () => {
    const { settled } = await deliver(service, batch(1, "visitor"), async () => {
      service.users.add("visitor");
    });

    assert.deepEqual(settled, [uuid(0)]);
  });

  it("keeps the events if the service does not know the user after the registration", async () => {
    let registrations = 0;

    await assert.rejects(
      deliver(service, batch(2, "visitor"), async () => {
        registrations += 1;
      }),
      { code: "unknown_user" },
    );
    assert.equal(registrations, 1);
  });

  it("keeps events that are ahead of the service's clock", async () => {
    service.latestTime = NOON_MS - 120_000;
    const earlier = event(9, { occurred_at: "2026-03-01T11:50:00.000Z" });
    const interactions = [...batch(2), ...toInteractions("ann", [earlier], null, NOON_MS)];

    const { settled, rejected } = await deliver(service, interactions, failOnRegistration);

    assert.deepEqual([settled, rejected], [[uuid(9)], []]);
  });

  it("keeps events that are rejected for a wrong API key or a rate limit", async () => {
    for (const status of [401, 403, 429]) {
      const rejecting = { track: () => Promise.reject(new FeedServiceError("problem", "no", status)) };

      await assert.rejects(deliver(rejecting, batch(2), failOnRegistration), { status });
    }
  });
});

describe("event times", () => {
  it("are corrected if the clock of the browser is wrong", () => {
    const lateEvent = event(1, { occurred_at: "2026-03-01T10:59:30.000Z" });

    const [corrected] = toInteractions("ann", [lateEvent], NOON_MS - 3_600_000, NOON_MS);

    assert.equal(corrected?.occurred_at, "2026-03-01T11:59:30.000Z");
  });

  it("are unchanged if the difference may be the delay of the network", () => {
    const [unchanged] = toInteractions("ann", [event(1)], NOON_MS - 1500, NOON_MS);

    assert.equal(unchanged?.occurred_at, "2026-03-01T11:59:00.000Z");
  });

  it("are never in the future", () => {
    const [capped] = toInteractions("ann", [event(1, { occurred_at: "2027-01-01T00:00:00Z" })], null, NOON_MS);

    assert.equal(capped?.occurred_at, "2026-03-01T12:00:00.000Z");
  });
});

describe("the body of POST /api/events", () => {
  it("is returned unchanged if it is valid", () => {
    const parsed = parseBody(eventsBody, { user: "ann", events: [event(1)], sent_at: "2026-03-01T12:00:00Z" });

    assert.deepEqual(parsed, { user: "ann", events: [event(1)], sent_at: NOON_MS });
  });

  for (const [name, body, message] of [
    ["no list", {}, /^events must be a list/],
    ["null", null, /^body must be an object/],
    ["an empty list", { events: [] }, /^events must be a list/],
    ["a value that is not an event", { events: [event(0), 7] }, /^events\[1\] must be an event/],
    ["an unknown type", { events: [{ ...event(0), interaction_type: "hug" }] }, /interaction_type must be one of/],
    ["an invalid time", { events: [{ ...event(0), occurred_at: "soon" }] }, /occurred_at must be a time/],
    ["metadata that is not an object", { events: [{ ...event(0), metadata: [] }] }, /metadata must be an object/],
  ] as const) {
    it(`is rejected with ${name}, and the error names the place`, () => {
      assert.throws(() => parseBody(eventsBody, body), { name: "SyntaxError", message });
    });
  }
});
