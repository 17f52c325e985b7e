/** Calls to the server, one at a time in the order in which they were made. */
export class CallChain {
  private last: Promise<void> = Promise.resolve();

  /** Makes the call after the ones before have ended. The result is that of the call. */
  send(call: () => Promise<void>): Promise<void> {
    const sent = this.last.then(call);
    this.last = sent.catch(() => undefined);
    return sent;
  }

  /** Resolves when all calls have ended, or after `timeoutMs`. */
  settle(timeoutMs: number): Promise<void> {
    return Promise.race([this.last, new Promise<void>((resolve) => setTimeout(resolve, timeoutMs))]);
  }
}
