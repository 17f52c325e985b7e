import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flattenDetails, formatNumber, reasonLabel, reasonSentence } from "@/components/reasons";
import { ageOf } from "@/components/relative-time";

describe("the explanation of a post", () => {
  it("has a label and a sentence for each reason of the service", () => {
    const reasons = [
      "collaborative_filtering",
      "content_similarity",
      "trending",
      "recent",
      "popular_author",
      "following",
      "exploration",
    ];

    for (const reason of reasons) assert.notEqual(reasonLabel(reason), reasonSentence(reason));
  });

  it("has a readable label for an unknown reason", () => {
    assert.equal(reasonLabel("old_friends"), "old friends");
  });

  it("lists the details with the largest numbers first, without empty values", () => {
    const facts = flattenDetails({
      recency: 0.1,
      age: -2.8,
      nothing: null,
      tags: ["sea", "salt"],
      parts: { author_7d: 5 },
    });

    assert.deepEqual(facts, [
      { name: "author 7d", value: 5 },
      { name: "age", value: -2.8 },
      { name: "recency", value: 0.1 },
      { name: "tags", value: "sea, salt" },
    ]);
  });

  it("rounds numbers to two significant digits", () => {
    assert.deepEqual([0.21994, 5, 37.4, 1234.5, -2.84].map(formatNumber), ["0.22", "5", "37", "1235", "-2.8"]);
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
