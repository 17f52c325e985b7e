import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { barsOf, formatNumber, rawValues } from "@/components/explanation-values";
import { whySentence } from "@/components/reasons";
import { ageOf } from "@/components/relative-time";
import { whyOf } from "@/lib/feed/post";

describe("why a post is shown", () => {
  for (const [why, sentence] of [
    [{ kind: "followed_author" }, "You follow roland129"],
    [{ kind: "similar_users", count: 3 }, "3 people with your taste liked this"],
    [{ kind: "read_author" }, "From an author you read"],
    [{ kind: "new_from_read_author" }, "New from an author you read"],
    [{ kind: "trending", count: 12 }, "Trending: 12 or more people reacted this week"],
    [{ kind: "tag", tag: "sea" }, "You often read #sea"],
    [{ kind: "new" }, "New"],
    [{ kind: "exploration" }, "Few people have reacted yet"],
    [{ kind: "recommended" }, "Suggested for you"],
    [{ kind: "of a later version" as "new" }, "Suggested for you"],
  ] as const) {
    it(`is: ${sentence}`, () => {
      assert.equal(whySentence(why, "roland129"), sentence);
    });
  }

  it("is the evidence of the service, without the author, whom the post has", () => {
    const evidence = { kind: "followed_author", user_id: "3a2f0a52-0d5c-5e0f-9a52-7f7d9a4e9d0b" } as const;

    assert.deepEqual(whyOf({ reason: "trending", evidence }), { kind: "followed_author" });
    assert.deepEqual(whyOf({ reason: "recent", evidence: { kind: "trending", count: 5 } }), {
      kind: "trending",
      count: 5,
    });
  });

  it("claims nothing without evidence", () => {
    assert.deepEqual(whyOf({ reason: "trending" }), { kind: "recommended" });
    assert.deepEqual(whyOf({ reason: "exploration" }), { kind: "exploration" });
  });
});

describe("the explanation of a post", () => {
  it("adds up the factors with the same readable name and keeps their signs, the largest first", () => {
    const factors = {
      decayed_engagement: 2,
      no_engagement: -0.5,
      post_age: -3,
      follows_author: 0,
      topic_affinity: 0.004,
      tides: 1,
    };
    const bars = barsOf({ factors, probability: 0.3 });

    assert.deepEqual(bars, [
      { name: "How new it is", value: -3 },
      { name: "Likes, comments and shares", value: 1.5 },
      { name: "Other", value: 1 },
    ]);
  });

  it("knows the parts of the formula, and no other value of a ranking without factors", () => {
    assert.deepEqual(barsOf({ score: 0.9, recency: 0.1, collaborative: 0.4, age_hours: 3 }), [
      { name: "People with similar interests", value: 0.4 },
      { name: "How new it is", value: 0.1 },
    ]);
  });

  it("lists all values at any depth under the names of the service", () => {
    const values = rawValues({ score: 0.512, nothing: null, contributions: { age: -2.84 }, follows_author: true });

    assert.deepEqual(values, [
      { name: "score", text: "0.51" },
      { name: "contributions · age", text: "-2.8" },
      { name: "follows_author", text: "true" },
    ]);
  });

  it("rounds numbers to two significant digits", () => {
    const numbers = [0.21994, 5, 37.4, 1234.5, -2.84, 0.001];

    assert.deepEqual(numbers.map(formatNumber), ["0.22", "5", "37", "1235", "-2.8", "0"]);
  });
});

describe("the age of a post", () => {
  const nowMs = Date.parse("2026-03-10T12:00:00Z");

  for (const [time, age] of [
    ["2026-03-10T11:59:30Z", "now"],
    ["2026-03-10T12:00:30Z", "now"],
    ["2026-03-10T11:15:00Z", "45m"],
    ["2026-03-10T09:00:00Z", "3h"],
    ["2026-03-08T09:00:00Z", "2d"],
    ["2026-02-01T00:00:00Z", "Feb 1, 2026"],
  ] as const) {
    it(`is ${age} for ${time}`, () => {
      assert.equal(ageOf(time, nowMs), age);
    });
  }
});
