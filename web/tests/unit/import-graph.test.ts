import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { findCycle, readImportGraph } from "@/tests/support/import-graph";

/** From the lowest to the highest: a file imports from its own layer and from lower ones. */
const LAYERS = [
  "packages/feed-client/src",
  "web/lib/logger.ts",
  "web/lib/platform",
  "web/lib/feed",
  "web/lib/services",
  "web/lib/repositories",
  "web/components",
  "web/app",
];

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

  it("of the web application lead to the same or a lower layer", () => {
    const layerOf = (file: string) => LAYERS.findIndex((layer) => file === layer || file.startsWith(`${layer}/`));
    const upward = [...readImportGraph(["web/lib", "web/components", "web/app"])].flatMap(([file, imported]) =>
      imported
        .filter((target) => target.endsWith(".ts") || target.endsWith(".tsx"))
        .filter((target) => layerOf(file) < 0 || layerOf(target) < 0 || layerOf(target) > layerOf(file))
        .map((target) => `${file} imports ${target}`),
    );

    assert.deepEqual(upward, []);
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
