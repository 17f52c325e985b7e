import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { searchTerms, webSearchText } from "@/lib/feed/search-terms";

describe("the terms of a search", () => {
  const textOf = (search: string) => {
    const terms = searchTerms(search);
    return webSearchText(
      terms,
      terms.map(({ text }) => ` ${text} `),
    );
  };

  for (const [search, expected] of [
    ["tea cake", '"tea" "cake"'],
    ['"green tea" -black', '"green tea" -"black"'],
    ['-"green tea', '-"green tea"'],
    ["tea OR cake", '"tea" or "cake"'],
    ['"or" -', '"or" "-"'],
    ["  ", ""],
  ] as const) {
    it(`of ${JSON.stringify(search)} are ${expected}`, () => {
      assert.equal(textOf(search), expected);
    });
  }
});
