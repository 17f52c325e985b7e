import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { type SeenPage, SeenReporter } from "../src/index.ts";

function reporter({ fails = false } = {}) {
  const sent: SeenPage[][] = [];
  const beacons: SeenPage[][] = [];
  const tasks: (() => void)[] = [];
  const seen = new SeenReporter({
    send: async (pages) => {
      sent.push(pages);
      if (fails) throw new Error("the service is away");
    },
    beacon: (pages) => {
      beacons.push(pages);
      return true;
    },
    schedule: (task) => tasks.push(task),
  });
  return { seen, sent, beacons, tasks };
}

describe("the reporter of seen posts", () => {
  it("sends each post of a page once, in one batch", async () => {
    const { seen, sent, tasks } = reporter();
    for (const [post, page] of [
      ["a", "r1"],
      ["b", "r1"],
      ["a", "r1"],
      ["a", "r2"],
    ] as const)
      seen.add(post, page);

    assert.equal(tasks.length, 1);
    for (const task of tasks) task();
    seen.add("a", "r1");
    await seen.flush();

    assert.deepEqual(sent, [
      [
        { request_id: "r1", seen: ["a", "b"] },
        { request_id: "r2", seen: ["a"] },
      ],
    ]);
  });

  it("ignores posts without a page of the service", async () => {
    const { seen, sent, tasks } = reporter();

    seen.add("a", null);
    await seen.flush();

    assert.deepEqual([sent, tasks], [[], []]);
  });

  it("passes what is pending to the browser when the page is closed", async () => {
    const { seen, sent, beacons } = reporter();

    seen.add("a", "r1");
    seen.sendBeacon();
    seen.sendBeacon();
    await seen.flush();

    assert.deepEqual([beacons, sent], [[[{ request_id: "r1", seen: ["a"] }]], []]);
  });

  it("is silent while the service is away, and sends later posts", async () => {
    const { seen, sent } = reporter({ fails: true });

    seen.add("a", "r1");
    await seen.flush();
    seen.add("b", "r1");
    await seen.flush();

    assert.deepEqual(sent[1], [{ request_id: "r1", seen: ["b"] }]);
  });
});
