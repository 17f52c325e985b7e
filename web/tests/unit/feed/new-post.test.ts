import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { newPostBody, tagsOf } from "@/lib/feed/new-post";
import { MAX_TEXT_LENGTH } from "@/lib/feed/text-length";

const [ID, OTHER] = ["AAAAAAAA-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

describe("the body of a new post", () => {
  it("has a text without spaces at its ends, and its id in lower case", () => {
    const { id, text } = newPostBody.parse({ id: ID, text: "  Hello\n" });

    assert.deepEqual([id, text], [ID.toLowerCase(), "Hello"]);
  });

  for (const [name, fields] of [
    ["an empty text", { text: " \n" }],
    ["no text", {}],
    ["a long text", { text: "🙂".repeat(MAX_TEXT_LENGTH + 1) }],
    ["NUL", { text: "a\0b" }],
    ["half a surrogate pair", { text: "a\ud800b" }],
    ["a repost with a text", { text: "a", repost_of: OTHER }],
    ["two other posts", { text: "a", reply_to: OTHER, quote_of: OTHER }],
    ["another post that is no UUID", { text: "a", reply_to: "p1" }],
  ] as const) {
    it(`is rejected with ${name}`, () => {
      assert.equal(newPostBody.safeParse({ id: ID, ...fields }).success, false);
    });
  }

  it("may have as many characters as the limit, and be a repost without text", () => {
    assert.ok(newPostBody.safeParse({ id: ID, text: "🙂".repeat(MAX_TEXT_LENGTH) }).success);
    assert.ok(newPostBody.safeParse({ id: ID, repost_of: OTHER }).success);
  });
});

describe("the tags of a text", () => {
  it("are its hashtags in lower case, each once, at most ten", () => {
    assert.deepEqual(tagsOf("#Tea #tea, (#Übung) #1st #x-y a#b &#123; http://a/#c ##d"), ["tea", "übung", "1st", "x"]);
    assert.equal(tagsOf(Array.from({ length: 12 }, (_, n) => `#t${n}`).join(" ")).length, 10);
  });
});
