import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { getsRankedFeed } from "@/lib/feed/rollout";

describe("the roll-out of the ranked feed", () => {
  const users = Array.from({ length: 4000 }, (_, index) => `user-${index}`);
  const usersWithRankedFeed = (percent: number) => users.filter((user) => getsRankedFeed(user, percent));

  it("reaches all users at 100 % and none at 0 %", () => {
    assert.deepEqual([usersWithRankedFeed(100).length, usersWithRankedFeed(0).length], [4000, 0]);
  });

  it("reaches the configured percentage of users", () => {
    assert.ok(Math.abs(usersWithRankedFeed(30).length / 4000 - 0.3) < 0.03);
  });

  it("keeps the users it has reached while the percentage grows", () => {
    const later = new Set(usersWithRankedFeed(35));

    assert.ok(usersWithRankedFeed(30).every((user) => later.has(user)));
  });
});
