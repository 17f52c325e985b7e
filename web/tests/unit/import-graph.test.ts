import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCycle, readImportGraph } from "../support/import-graph";

describe("imports", () => {
  it("form no cycle in the client package", () => {
    const graph = readImportGraph(["packages/feed-client/src"]);

    assert.deepEqual(graph.get("packages/feed-client/src/view-tracker.ts")?.sort(), [
      "packages/feed-client/src/event-queue.ts",
      "packages/feed-client/src/types.ts",
    ]);
    assert.equal(findCycle(graph), null);
  });

  it("form no cycle in the web application", () => {
    const graph = readImportGraph(["web/lib", "web/components", "web/app"]);

    assert.ok(graph.get("web/components/feed.tsx")?.includes("packages/feed-client/src/use-feed.ts"));
    assert.equal(findCycle(graph), null);
  });

  it("that form a cycle are found", () => {
    const graph = new Map([
      ["page.ts", ["queue.ts", "types.ts"]],
      ["queue.ts", ["types.ts", "store.ts"]],
      ["store.ts", ["queue.ts"]],
      ["types.ts", []],
    ]);

    assert.deepEqual(findCycle(graph), ["queue.ts", "store.ts", "queue.ts"]);
  });
});
