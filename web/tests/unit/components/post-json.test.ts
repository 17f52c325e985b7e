import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import { postJson } from "@/components/post-json";

describe("sending JSON to a route", () => {
  const responses: (number | "no response")[] = [];
  const bodies: unknown[] = [];

  beforeEach(() => {
    responses.length = 0;
    bodies.length = 0;
    vi.stubGlobal("setTimeout", (task: () => void) => void queueMicrotask(task));
    vi.stubGlobal("fetch", async (_path: string, init: RequestInit) => {
      bodies.push(JSON.parse(String(init.body)));
      const status = responses.shift() ?? assert.fail("one call too many");
      if (status === "no response") throw new TypeError("fetch failed");
      return new Response(null, { status });
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is done after a success", async () => {
    responses.push(202);

    await postJson("/api/feedback", { undo: true });

    assert.deepEqual(bodies, [{ undo: true }]);
  });

  it("is repeated with the same body after a failure of the server or the network", async () => {
    responses.push(503, "no response", 202);

    await postJson("/api/feedback", { event_id: "1" });

    assert.deepEqual(bodies, Array(3).fill({ event_id: "1" }));
  });

  it("fails after the third failure", async () => {
    responses.push(503, 503, 503);

    await assert.rejects(postJson("/api/feedback", {}), /^Error: POST \/api\/feedback: status 503$/);
  });

  it("is not repeated if the server rejects it", async () => {
    responses.push(409);

    await assert.rejects(postJson("/api/feedback", {}), /status 409/);
  });
});
