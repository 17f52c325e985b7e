import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSeen } from "@/lib/feed/seen";

const PAGE = { request_id: "r1", seen: ["11111111-1111-4111-8111-111111111111"] };

describe("the body of POST /api/impressions", () => {
  it("is returned without unknown fields if it is valid", () => {
    const body = { user: "ann", pages: [{ ...PAGE, user_id: "eve" }] };

    assert.deepEqual(parseSeen(body), { user: "ann", pages: [PAGE] });
  });

  for (const [name, body, message] of [
    ["null", null, /^pages must be a list/],
    ["no page", { pages: [] }, /^pages must be a list/],
    ["too many pages", { pages: Array(21).fill(PAGE) }, /^pages must be a list/],
    ["a page without a request id", { pages: [PAGE, { ...PAGE, request_id: "" }] }, /^pages\[1\].request_id must be/],
    ["a page without posts", { pages: [{ ...PAGE, seen: [] }] }, /^pages\[0\].seen must be a list/],
    ["a post without an id", { pages: [{ ...PAGE, seen: [7] }] }, /^pages\[0\].seen must be a list/],
  ] as const) {
    it(`is rejected with ${name}, and the error names the place`, () => {
      assert.throws(() => parseSeen(body), { name: "SyntaxError", message });
    });
  }
});
