import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { stepsToFeed } from "@/components/back-to-feed";

/** The history of a tab with these paths, at the entry with an index. */
function historyOf(index: number, ...paths: (string | null)[]) {
  const entries = paths.map((path, at) => ({ index: at, url: path && `http://localhost${path}` }));
  return { currentEntry: { key: `${index}`, index }, entries: () => entries };
}

describe("the way back to the feed", () => {
  it("leads to the last visit before the page", () => {
    assert.equal(stepsToFeed(historyOf(1, "/?feed=following", "/post/1")), -1);
    assert.equal(stepsToFeed(historyOf(4, "/", "/post/1", "/", "/post/2", "/post/3")), -2);
  });

  it("does not lead forward, to other pages or to hidden addresses", () => {
    assert.equal(stepsToFeed(historyOf(0, "/post/1", "/")), null);
    assert.equal(stepsToFeed(historyOf(2, "/search", null, "/post/1")), null);
  });

  it("is unknown to browsers that hide the history", () => {
    assert.equal(stepsToFeed(undefined), null);
    assert.equal(stepsToFeed({ currentEntry: null, entries: () => [] }), null);
  });
});
