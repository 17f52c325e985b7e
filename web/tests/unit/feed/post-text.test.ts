import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { isRightToLeft, tokensOf, urlOf } from "@/lib/feed/post-text";

const found = (text: string) => tokensOf(text).flatMap(({ kind, text: part }) => (kind === "text" ? [] : [part]));

describe("the tokens of a text", () => {
  it("are its links, mentions and tags, and the text between them", () => {
    assert.deepEqual(tokensOf("See https://a.example/b?c=d#e, @ada.l and #Tea!"), [
      { kind: "text", text: "See " },
      { kind: "link", text: "https://a.example/b?c=d#e" },
      { kind: "text", text: ", " },
      { kind: "mention", text: "@ada.l" },
      { kind: "text", text: " and " },
      { kind: "tag", text: "#Tea" },
      { kind: "text", text: "!" },
    ]);
    assert.deepEqual(tokensOf("plain"), [{ kind: "text", text: "plain" }]);
    assert.deepEqual(tokensOf(""), []);
  });

  it("have links without the punctuation of the sentence", () => {
    assert.deepEqual(found('(https://a.example/b). "https://c.example/d"? https://e.example/f_(g)'), [
      "https://a.example/b",
      "https://c.example/d",
      "https://e.example/f_(g)",
    ]);
  });

  it("have no link to another scheme, to nowhere, with a user name, or with characters that turn the text around", () => {
    const texts = [
      "javascript:alert(1)",
      "data:text/html,x",
      "http://",
      "https://.",
      "https://bank.example@evil.example",
    ];
    for (const text of texts) assert.deepEqual(found(text), [], text);
    assert.deepEqual(found("https://a.example/\u202egpj.exe"), ["https://a.example/"]);
    assert.equal(urlOf("https://a:b@c.example"), null);
  });

  it("have no mention in an address and no tag in a word", () => {
    assert.deepEqual(found("ada@example.org a#b &#123; ##c @ # #x-y @Zoë_1. https://a.example/#f@g"), [
      "#x",
      "@Zoë_1",
      "https://a.example/#f@g",
    ]);
  });

  it("give the text when they are joined, and have no two texts in a row", () => {
    const parts = [
      "https://",
      "http://a.b/",
      "@",
      "#",
      "a",
      "Ü",
      ".",
      ",",
      "(",
      ")",
      " ",
      "\n",
      "&",
      "_",
      "🙂",
      "\ud800",
    ];
    let state = 7;
    const next = (below: number) => {
      state = (state * 48_271) % 2_147_483_647; // a fixed sequence of random numbers
      return state % below;
    };
    for (let run = 0; run < 3000; run += 1) {
      const text = Array.from({ length: next(14) }, () => parts[next(parts.length)]).join("");
      const tokens = tokensOf(text);

      assert.equal(tokens.map((token) => token.text).join(""), text);
      assert.ok(tokens.every(({ kind }, index) => kind !== "text" || tokens[index + 1]?.kind !== "text"));
      assert.ok(tokens.every(({ kind, text: part }) => kind !== "link" || /^https?:\/\/\S+$/i.test(part)));
    }
  });

  it("of a long text take no long time", () => {
    for (const part of ["#", "@", "https://", "(", "https://a.b/)", "#".repeat(60), "@a."]) {
      assert.equal(
        tokensOf(part.repeat(2000))
          .map((token) => token.text)
          .join("").length,
        part.length * 2000,
      );
    }
  });
});

describe("the direction of a text", () => {
  it("is that of its first letter", () => {
    assert.deepEqual(["שלום a", "1. مرحبا", "a שלום", "123", ""].map(isRightToLeft), [true, true, false, false, false]);
  });
});
