import { BrowserStore, type ItemFields, type ItemStore, MemoryStore } from "@feed/client";
import { sendWrite } from "./send-write";
import { keyPrefix, type Write } from "./write";
import { WriteQueue, type WriteQueueOptions } from "./write-queue";

const FIELDS: ItemFields<Write> = { idOf: ({ id }) => id, timeOf: ({ createdAt }) => createdAt };

/** The queue of a user's writes in this browser. It sends what an earlier page has left. */
export function openQueue(
  user: string,
  listeners: Pick<WriteQueueOptions, "onChange" | "onSent" | "onRejected">,
): WriteQueue {
  const queue = new WriteQueue({ ...listeners, store: openStore(user), send: (write) => sendWrite(user, write) });
  queue.refresh();
  void queue.flush();
  return queue;
}

function openStore(user: string): ItemStore<Write> {
  try {
    return new BrowserStore(localStorage, keyPrefix(user), FIELDS, isWrite);
  } catch {
    return new MemoryStore(FIELDS); // the browser forbids storage
  }
}

function isWrite(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { id, createdAt, post, attempts } = value as Record<string, unknown>;
  const isPost = post === null || typeof (post as { text?: unknown } | undefined)?.text === "string";
  return typeof id === "string" && typeof createdAt === "string" && isPost && typeof attempts === "number";
}
