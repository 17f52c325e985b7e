import { BrowserStore, type ItemFields, type ItemStore, MemoryStore } from "@feed/client";
import type { QueuePage } from "./queue-page";
import { sendWrite } from "./send-write";
import { keyPrefix, type Write, type WriteState, type WriteStates } from "./write";
import { WriteQueue } from "./write-queue";

const FIELDS: ItemFields<Write> = { idOf: ({ id }) => id, timeOf: ({ createdAt }) => createdAt };

/** The queue of the user's writes in this browser. It sends what an earlier page has left. */
export function openQueue({ user, states, client, countReplies, announce }: QueuePage): WriteQueue {
  const queue = new WriteQueue({
    store: openStore(user),
    send: (write) => sendWrite(user, write),
    onChange: (writes) => states.setState((previous) => withWrites(previous, writes), true),
    onSent: (write) => {
      states.setState({ [write.id]: { ...write, sent: true } });
      const { parent } = write;
      if (parent) {
        countReplies(parent.id, parent.ownComments, write.post ? 1 : -1);
        void client.invalidateQueries({ queryKey: ["comments", parent.id] });
      }
      announce(sentMessage(write));
    },
    onRejected: ({ post, rejection }) => announce(`This could not be ${post ? "posted" : "deleted"}. ${rejection}`),
  });
  queue.refresh();
  void queue.flush();
  return queue;
}

/** The writes in the store, and those that were sent since the page was loaded. */
function withWrites(previous: WriteStates, writes: Write[]): WriteStates {
  const sent = Object.entries(previous).filter(([, state]) => state.sent);
  return Object.fromEntries<WriteState>([
    ...sent,
    ...writes.map((write) => [write.id, { ...write, sent: false }] as const),
  ]);
}

function sentMessage({ post, parent }: Write): string {
  if (post === null) return parent ? "Reply deleted" : "Deleted";
  if (post.reply_to !== undefined) return "Reply posted";
  return post.repost_of === undefined ? "Your post was published" : "Reposted";
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
