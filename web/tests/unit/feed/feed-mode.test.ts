import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { FEED_MODES, feedModeOf, feedPath } from "@/lib/feed/feed-mode";

describe("the address of a list", () => {
  it("names the list, and the ranked one needs no parameter", () => {
    assert.deepEqual(FEED_MODES.map(feedPath), ["/", "/?feed=following", "/?feed=newest"]);
  });

  it("is read back", () => {
    for (const mode of FEED_MODES) {
      const value = new URL(feedPath(mode), "http://localhost").searchParams.get("feed");
      assert.equal(feedModeOf(value) ?? "ranked", mode);
    }
  });

  it("with an unknown list names none", () => {
    for (const value of ["", "Following", "toString", ["following", "newest"], null, undefined]) {
      assert.equal(feedModeOf(value), null);
    }
  });
});
