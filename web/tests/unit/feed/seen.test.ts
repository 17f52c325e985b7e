import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { seenBody } from "@/lib/feed/seen";
import { parseBody } from "@/lib/platform/body";

const PAGE = { request_id: "r1", seen: ["11111111-1111-4111-8111-111111111111"] };

describe("the body of POST /api/impressions", () => {
  it("is returned without unknown fields if it is valid", () => {
    const body = { user: "ann", pages: [{ ...PAGE, user_id: "eve" }] };

    assert.deepEqual(parseBody(seenBody, body), { user: "ann", pages: [PAGE] });
  });

  for (const [name, body, message] of [
    ["null", null, /^body must be an object/],
    ["no page", { pages: [] }, /^pages must be a list/],
    ["too many pages", { pages: Array(21).fill(PAGE) }, /^pages must be a list/],
    ["a page without a request id", { pages: [PAGE, { ...PAGE, request_id: "" }] }, /^pages\[1\].request_id must be/],
    ["a page without posts", { pages: [{ ...PAGE, seen: [] }] }, /^pages\[0\].seen must be a list/],
    ["a post without an id", { pages: [{ ...PAGE, seen: [7] }] }, /^pages\[0\].seen\[0\] must be the id of a post/],
  ] as const) {
    it(`is rejected with ${name}, and the error names the place`, () => {
      assert.throws(() => parseBody(seenBody, body), { name: "SyntaxError", message });
    });
  }
});
