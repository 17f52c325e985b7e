import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isId, postUuid, userUuid } from "../../lib/ids";
import { getsRankedFeed } from "../../lib/rollout";

describe("ids", () => {
  it("give the UUIDs that the service derives from the same text", () => {
    // uuid5(NAMESPACE_URL, "user:test-user") and uuid5(NAMESPACE_URL, "post:grüße"), by Python's uuid module
    assert.equal(userUuid("test-user"), "d58fb0b3-30af-519d-a8d2-d17882f1fe2b");
    assert.equal(postUuid("grüße"), "4ed06b4f-1bfa-5be2-9238-b489e64da3c7");
  });

  it("stand for themselves where they are UUIDs", () => {
    assert.equal(userUuid("6BA7B811-9DAD-11D1-80B4-00C04FD430C8"), "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
  });

  it("are 1 to 128 printable characters", () => {
    const verdicts = ["a", "x".repeat(128), "grüße 🌊", "", "x".repeat(129), "a\u0000b", "a\nb", "\ud800"].map(isId);

    assert.deepEqual(verdicts, [true, true, true, false, false, false, false, false]);
  });
});

describe("the roll-out", () => {
  const users = Array.from({ length: 4000 }, (_, place) => `user-${place}`);
  const ranked = (percent: number) => users.filter((user) => getsRankedFeed(user, percent));

  it("gives everybody or nobody the ranked feed at its ends", () => {
    assert.deepEqual([ranked(100).length, ranked(0).length], [4000, 0]);
  });

  it("reaches the share that was asked for", () => {
    assert.ok(Math.abs(ranked(30).length / 4000 - 0.3) < 0.03);
  });

  it("never takes the ranked feed from a user while the share grows", () => {
    const later = new Set(ranked(35));

    assert.ok(ranked(30).every((user) => later.has(user)));
  });
});
