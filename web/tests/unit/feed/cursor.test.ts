import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeFeedCursor, encodeFeedCursor, type FeedPosition, InvalidFeedCursor, startOf } from "@/lib/feed/cursor";

describe("the feed cursor", () => {
  const position: FeedPosition = {
    mode: "ranked",
    service: "abc~def",
    shown: new Set([1, 7, 300, 70_000, 2 ** 40]),
    unknownToService: new Set([7]),
    rewound: true,
  };

  it("brings a position back as it was", () => {
    assert.deepEqual(decodeFeedCursor("ann", "ranked", encodeFeedCursor("ann", position)), position);
  });

  it("brings an empty position back", () => {
    assert.deepEqual(decodeFeedCursor("ann", "newest", encodeFeedCursor("ann", startOf("newest"))), startOf("newest"));
  });

  it("takes some two bytes for each post after a long scroll", () => {
    const shown = new Set(Array.from({ length: 2000 }, (_, place) => (place * 7919) % 50_000));

    assert.ok(encodeFeedCursor("ann", { ...startOf("ranked"), shown }).length < 4096);
  });

  it("fits into an address together with the service's own", () => {
    const shown = new Set(Array.from({ length: 2000 }, (_, place) => (place * 7919) % 50_000));
    const service = "x".repeat(4096);

    assert.ok(
      encodeFeedCursor("ann", { ...startOf("ranked"), shown, unknownToService: shown, service }).length < 12_000,
    );
  });

  for (const [name, cursor] of [
    ["nothing of ours", "hello"],
    ["an empty text", ""],
    ["a list that does not unpack", `${encodeFeedCursor("ann", position).split("~")[0]}~!!!!~~`],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.throws(() => decodeFeedCursor("ann", "ranked", cursor), InvalidFeedCursor);
    });
  }
});
