import { type ItemStore, retryDelayMs } from "@feed/client";
import type { Outcome, Write } from "./write";

export interface WriteQueueOptions {
  store: ItemStore<Write>;
  /** Sends one write. Never rejects. */
  send: (write: Write) => Promise<Outcome>;
  /** Called with all writes that are not sent, after each change. */
  onChange: (writes: Write[]) => void;
  onSent: (write: Write) => void;
  onRejected: (write: Write) => void;
  random?: () => number;
  /** Runs `task` after `delayMs` and returns a function that cancels it. */
  schedule?: (task: () => void, delayMs: number) => () => void;
}

/**
 * Sends what a user writes, one after the other, until the server has stored or rejected it. A write stays in the store
 * until then, so that reloads and outages lose none. The server stores a repeated write once.
 */
export class WriteQueue {
  private readonly schedule: NonNullable<WriteQueueOptions["schedule"]>;
  private delivery: Promise<void> | null = null;
  private cancelTimer: (() => void) | null = null;
  private failures = 0;
  private closed = false;

  constructor(private readonly options: WriteQueueOptions) {
    this.schedule =
      options.schedule ??
      ((task, delayMs) => {
        const timer = setTimeout(task, delayMs);
        return () => clearTimeout(timer);
      });
  }

  /** Stores a write and sends it. It replaces an earlier one of the same post. */
  add(write: Pick<Write, "id" | "createdAt" | "post" | "parent">): Promise<void> {
    this.put({ ...write, attempts: 0, delayed: false, rejection: null });
    return this.flush();
  }

  /** Sends a write again that was rejected or delayed. */
  retry(id: string): Promise<void> {
    const write = this.find(id);
    if (write) this.put({ ...write, rejection: null });
    return this.flush();
  }

  /** Drops a write. If the server may have stored the post already, it is deleted there. */
  discard(id: string): Promise<void> {
    const write = this.find(id);
    if (!write) return Promise.resolve();
    if (write.attempts > 0 && write.rejection === null && write.post !== null) {
      return this.add({ ...write, post: null, parent: undefined });
    }
    this.remove(id);
    return Promise.resolve();
  }

  /** Sends all writes that are not rejected. The promise is never rejected. */
  flush(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = null;
    if (this.closed) return Promise.resolve();
    this.delivery ??= this.deliver();
    return this.delivery;
  }

  /** Reports the writes in the store, which another tab may have changed. */
  refresh(): void {
    this.options.onChange(this.options.store.all());
  }

  /** Stops deliveries. Stored writes remain for the next queue. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private async deliver(): Promise<void> {
    await Promise.resolve(); // so that a change which the delivery itself causes finds it running
    try {
      for (let write = this.next(); write && !this.closed; write = this.next()) {
        if (!(await this.attempt(write))) return;
      }
    } finally {
      this.delivery = null;
    }
  }

  /** Sends a write. False if its result is unknown, and the next attempt comes later. */
  private async attempt(write: Write): Promise<boolean> {
    const sending = { ...write, attempts: write.attempts + 1 };
    this.put(sending);
    const outcome = await this.options.send(sending);
    if (outcome.kind !== "delayed") {
      this.failures = 0;
      this.settle(sending, outcome);
      return true;
    }
    const current = this.find(write.id);
    if (current && isSame(current, sending)) this.put({ ...current, delayed: true });
    this.failures += 1;
    const delayMs = Math.max(outcome.retryAfterMs ?? 0, retryDelayMs(this.failures, this.options.random));
    if (!this.closed) this.cancelTimer = this.schedule(() => void this.flush(), delayMs);
    return false;
  }

  /** Takes over the answer of the server, unless the user has discarded the write meanwhile. */
  private settle(sending: Write, outcome: Exclude<Outcome, { kind: "delayed" }>): void {
    const current = this.find(sending.id);
    if (current && !isSame(current, sending)) return;
    if (outcome.kind === "sent") {
      this.options.onSent(sending);
      this.remove(sending.id);
      return;
    }
    const rejected = { ...sending, rejection: outcome.reason };
    this.put(rejected);
    this.options.onRejected(rejected);
  }

  /** Those with fewer attempts first, so that one that the server cannot store does not stop the others. */
  private next(): Write | undefined {
    const waiting = this.options.store.all().filter(({ rejection }) => rejection === null);
    return waiting.sort((a, b) => a.attempts - b.attempts)[0];
  }

  private find(id: string): Write | undefined {
    return this.options.store.all().find((write) => write.id === id);
  }

  private put(write: Write): void {
    this.options.store.put(write);
    this.refresh();
  }

  private remove(id: string): void {
    this.options.store.remove([id]);
    this.refresh();
  }
}

/** Whether both store the post, or both delete it. */
function isSame(a: Write, b: Write): boolean {
  return (a.post === null) === (b.post === null);
}
