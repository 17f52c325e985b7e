import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { beforeEach, describe, it } from "vitest";
import { AvailabilityCheck } from "@/lib/services/availability";
import { MLServiceClient } from "@/lib/services/ml-service";
import { useFeedService } from "@/tests/support/fake-feed-service";

describe("the check of the service", () => {
  const service = new FakeFeedService(["11111111-1111-4111-8111-111111111111"]);
  let nowMs: number;
  let check: AvailabilityCheck;

  useFeedService(service);
  beforeEach(() => {
    nowMs = 5000;
    check = new AvailabilityCheck(() => nowMs);
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
  });
  const isAvailable = (user = "ann") => check.isAvailable(new MLServiceClient(service.url), user);

  it("requests a page of one post that does not count as shown", async () => {
    assert.equal(await isAvailable(), true);

    assert.deepEqual(
      service.requests.map(({ body }) => body),
      [{ user_id: "ann", limit: 1, context: { mode: "ranked", record: false } }],
    );
  });

  it("is shared by all users for a second", async () => {
    service.behaviour = { kind: "status", status: 500 };
    const results = [isAvailable("ann"), isAvailable("bob")];
    nowMs += 999;
    results.push(isAvailable("cleo"));
    assert.deepEqual(await Promise.all(results), [false, false, false]);
    const callsOfOneCheck = service.requests.length;
    service.behaviour = { kind: "healthy" };

    nowMs += 1;

    assert.equal(await isAvailable(), true);
    assert.equal(service.requests.length, callsOfOneCheck + 1);
  });
});
