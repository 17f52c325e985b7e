/**
 * The requests of each user that change data and are running in this process. A page that is requested at the same
 * time waits for them, so that it does not show again what the user has just seen or removed.
 */
export class PendingWrites {
  private readonly writes = new Map<string, Set<Promise<unknown>>>();

  /** Holds a request until its promise is settled. Returns the same promise. */
  add<Result>(userId: string, write: Promise<Result>): Promise<Result> {
    const ofUser = this.writes.get(userId) ?? new Set();
    this.writes.set(userId, ofUser.add(write));
    const remove = () => {
      ofUser.delete(write);
      if (ofUser.size === 0) this.writes.delete(userId);
    };
    write.then(remove, remove);
    return write;
  }

  /** Resolves when the requests that are running now are settled, or after `timeoutMs`. Never rejects. */
  async settle(userId: string, timeoutMs: number): Promise<void> {
    const ofUser = this.writes.get(userId);
    if (!ofUser) return;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled([...ofUser]), timeout]);
    clearTimeout(timer);
  }
}

// Next.js may bundle a copy of this module into each route; a global lets all of them share one instance.
const shared = globalThis as typeof globalThis & { feedPendingWrites?: PendingWrites };
shared.feedPendingWrites ??= new PendingWrites();
export const pendingWrites = shared.feedPendingWrites;
