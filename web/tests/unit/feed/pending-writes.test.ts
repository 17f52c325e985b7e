import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { PendingWrites } from "@/lib/feed/pending-writes";

/** Longer than any test. */
const LONG_MS = 60_000;

describe("pending writes", () => {
  it("settle when all requests of the user are done, also those that fail", async () => {
    const writes = new PendingWrites();
    let store: (result: string) => void = assert.fail;
    let fail: (error: Error) => void = assert.fail;
    let settled = false;
    const stored = writes.add("ann", new Promise<string>((resolve) => (store = resolve)));
    const failed = writes.add("ann", new Promise<string>((_resolve, reject) => (fail = reject)));
    const waiting = writes.settle("ann", LONG_MS).then(() => (settled = true));

    store("stored");
    assert.equal(await stored, "stored");
    assert.equal(settled, false);
    fail(new Error("not stored"));
    await assert.rejects(failed, /not stored/);

    await waiting;
    assert.equal(settled, true);
  });

  it("of other users, and those that are done, are not waited for", async () => {
    const writes = new PendingWrites();
    void writes.add("bob", new Promise(() => undefined));
    await writes.add("ann", Promise.resolve());

    await writes.settle("ann", LONG_MS);
  });

  it("are waited for at most until the timeout", async () => {
    const writes = new PendingWrites();
    void writes.add("ann", new Promise(() => undefined));

    await writes.settle("ann", 1);
  });
});
