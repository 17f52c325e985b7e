import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getsRankedFeed } from "@/lib/feed/rollout";

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
