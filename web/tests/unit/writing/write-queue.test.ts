import assert from "node:assert/strict";
import { MemoryStore } from "@feed/client";
import { beforeEach, describe, it } from "vitest";
import type { Outcome, Write } from "@/components/writing/write";
import { WriteQueue } from "@/components/writing/write-queue";

const TEXT = { text: "A text" };

describe("the queue of writes", () => {
  let store: MemoryStore<Write>;
  /** What the server does with the next attempts, then it stores them. */
  let outcomes: Outcome[];
  let sent: [id: string, action: "store" | "delete"][];
  let log: string[];
  let timers: { task: () => void; delayMs: number }[];
  let duringSend: () => void;

  beforeEach(() => {
    store = new MemoryStore<Write>({ idOf: ({ id }) => id, timeOf: ({ createdAt }) => createdAt });
    [outcomes, sent, log, timers] = [[], [], [], []];
    duringSend = () => undefined;
  });

  const openPage = () =>
    new WriteQueue({
      store,
      send: async ({ id, post }) => {
        sent.push([id, post ? "store" : "delete"]);
        duringSend();
        return outcomes.shift() ?? { kind: "sent" };
      },
      onChange: () => undefined,
      onSent: ({ id }) => log.push(`sent ${id}`),
      onRejected: ({ id, rejection }) => log.push(`rejected ${id}: ${rejection}`),
      random: () => 1,
      schedule: (task, delayMs) => {
        const timer = { task, delayMs };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
    });
  const write = (id: string, second = 0) => ({ id, createdAt: `2026-03-01T12:00:0${second}Z`, post: TEXT });
  const delayed: Outcome = { kind: "delayed", retryAfterMs: null };
  const rejected: Outcome = { kind: "rejected", reason: "too late" };

  it("sends a write once and forgets it", async () => {
    await openPage().add(write("a"));

    assert.deepEqual(sent, [["a", "store"]]);
    assert.deepEqual(log, ["sent a"]);
    assert.deepEqual(store.all(), []);
  });

  it("keeps a delayed write with its id for a later attempt, also one of the next page", async () => {
    outcomes = [delayed, delayed];
    const first = openPage();
    await first.add(write("a"));
    await first.flush();
    first.close();
    assert.deepEqual(
      store.all().map(({ attempts, delayed: isDelayed }) => [attempts, isDelayed]),
      [[2, true]],
    );

    await openPage().flush();

    assert.deepEqual(
      sent.map(([id]) => id),
      ["a", "a", "a"],
    );
    assert.deepEqual(log, ["sent a"]);
  });

  it("waits longer after each failure, and as long as the server says", async () => {
    outcomes = [delayed, delayed, { kind: "delayed", retryAfterMs: 60_000 }];
    const queue = openPage();

    const delaysMs: (number | undefined)[] = [];
    void queue.add(write("a"));
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await queue.flush();
      delaysMs.push(timers[0]?.delayMs);
    }

    assert.deepEqual(delaysMs, [1000, 2000, 60_000]);
  });

  it("does not let a write that fails again and again stop the others", async () => {
    outcomes = [delayed];
    const queue = openPage();
    await queue.add(write("broken"));
    await queue.add(write("good", 1));

    assert.equal(sent[1]?.[0], "good");
    assert.deepEqual(log, ["sent good", "sent broken"]);
  });

  it("does not repeat a rejected write unless the user asks for it", async () => {
    outcomes = [rejected, rejected];
    const queue = openPage();
    await queue.add(write("a"));
    await queue.flush();
    assert.deepEqual([sent.length, log, timers], [1, ["rejected a: too late"], []]);

    await queue.retry("a");
    assert.equal(store.all()[0]?.rejection, "too late");
    await queue.retry("a");

    assert.deepEqual(log.at(-1), "sent a");
  });

  it("drops a rejected write without a call", async () => {
    outcomes = [rejected];
    const queue = openPage();
    await queue.add(write("a"));

    await queue.discard("a");

    assert.deepEqual([sent.length, store.all()], [1, []]);
  });

  it("deletes a discarded post that the server may have stored", async () => {
    outcomes = [delayed];
    const queue = openPage();
    await queue.add(write("a"));

    await queue.discard("a");

    assert.deepEqual(sent, [
      ["a", "store"],
      ["a", "delete"],
    ]);
    assert.deepEqual(store.all(), []);
  });

  it("deletes a post that is discarded while it is sent", async () => {
    const queue = openPage();
    duringSend = () => {
      duringSend = () => undefined;
      void queue.discard("a");
    };

    await queue.add(write("a"));

    assert.deepEqual(sent, [
      ["a", "store"],
      ["a", "delete"],
    ]);
    assert.deepEqual([log, store.all()], [["sent a"], []]);
  });
});
