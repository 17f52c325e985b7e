import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "vitest";
import { canonicalId, isId, isRequestId, postUuid, userUuid } from "@/lib/platform/ids";

interface Vectors {
  ids: { given: string; canonical: string; user: string; post: string }[];
  rejected: string[];
}

/** Python and SQL compute the same in their tests. */
const VECTORS = JSON.parse(
  readFileSync(new URL("../../../../tests/support/ids.json", import.meta.url), "utf8"),
) as Vectors;

describe("ids", () => {
  it("become the UUIDs that the service derives from the same text", () => {
    const computed = VECTORS.ids.map(({ given }) => ({
      given,
      canonical: canonicalId(given),
      user: userUuid(given),
      post: postUuid(given),
    }));

    assert.deepEqual(computed, VECTORS.ids);
  });

  it("are the texts that the service accepts", () => {
    const rejected = VECTORS.ids.filter(({ given }) => !isId(given));
    const accepted = [...VECTORS.rejected, "\ud800"].filter(isId);

    assert.deepEqual([rejected, accepted], [[], []]);
  });

  it("of requests are 1 to 128 letters, digits and marks", () => {
    assert.deepEqual(["r-1", "5f0c.a:b_c", "", "a b", "ü", "x".repeat(129)].map(isRequestId), [
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
