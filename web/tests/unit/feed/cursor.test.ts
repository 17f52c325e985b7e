import assert from "node:assert/strict";
import { describe, it } from "vitest";
import {
  decodeFeedCursor,
  encodeFeedCursor,
  type FeedPosition,
  firstPosition,
  InvalidFeedCursor,
} from "@/lib/feed/cursor";

describe("the feed cursor", () => {
  const position: FeedPosition = {
    mode: "ranked",
    serviceCursor: "abc~def",
    shownSeqs: new Set([1, 7, 300, 70_000, 2 ** 40]),
    excludeSeqs: new Set([7]),
    includeSeen: true,
    after: null,
  };

  it("decodes to the encoded position", () => {
    assert.deepEqual(decodeFeedCursor("ann", "ranked", encodeFeedCursor("ann", position)), position);
  });

  it("decodes to the encoded position in the order of time", () => {
    const inTime = { ...position, after: { createdUs: 1_772_366_400_000_123, seq: 2 ** 40 } };

    assert.deepEqual(decodeFeedCursor("ann", "ranked", encodeFeedCursor("ann", inTime)), inTime);
  });

  it("decodes to the encoded first position", () => {
    assert.deepEqual(
      decodeFeedCursor("ann", "newest", encodeFeedCursor("ann", firstPosition("newest"))),
      firstPosition("newest"),
    );
  });

  it("has about two bytes for each shown post after a long scroll", () => {
    const shownSeqs = new Set(Array.from({ length: 2000 }, (_, index) => (index * 7919) % 50_000));

    assert.ok(encodeFeedCursor("ann", { ...firstPosition("ranked"), shownSeqs }).length < 4096);
  });

  it("fits into a URL together with the cursor of the service", () => {
    const shownSeqs = new Set(Array.from({ length: 2000 }, (_, index) => (index * 7919) % 50_000));
    const serviceCursor = "x".repeat(4096);

    assert.ok(
      encodeFeedCursor("ann", { ...firstPosition("ranked"), shownSeqs, excludeSeqs: shownSeqs, serviceCursor }).length <
        12_000,
    );
  });

  for (const [name, cursor] of [
    ["another text", "hello"],
    ["an empty text", ""],
    ["a damaged time", `2${encodeFeedCursor("ann", position).split("~")[0]?.slice(1)}~~~?~`],
    ["a damaged list of posts", `${encodeFeedCursor("ann", position).split("~")[0]}~!!!!~~`],
  ] as const) {
    it(`is not ${name}`, () => {
      assert.throws(() => decodeFeedCursor("ann", "ranked", cursor), InvalidFeedCursor);
    });
  }
});
