/** The posts of one page that were on screen. */
export interface SeenPage {
  request_id: string;
  seen: string[];
}

export interface SeenReporterOptions {
  /** Sends a batch. A batch whose promise is rejected is lost: the reports improve the ranking only. */
  send(pages: SeenPage[]): Promise<unknown>;
  /** Passes a batch to the browser, which sends it even if the page is closed. */
  beacon?(pages: SeenPage[]): boolean;
  /** Runs `task` after `delayMs`. */
  schedule?: (task: () => void, delayMs: number) => void;
}

/** Posts are collected for this long before they are sent. */
const BATCH_DELAY_MS = 3000;

/** Reports each post of a page once as soon as it was on screen, in batches. Failures are silent. */
export class SeenReporter {
  private readonly known = new Map<string, Set<string>>();
  private readonly pending = new Map<string, string[]>();
  private scheduled = false;
  private readonly schedule: (task: () => void, delayMs: number) => void;

  constructor(private readonly options: SeenReporterOptions) {
    this.schedule = options.schedule ?? ((task, delayMs) => void setTimeout(task, delayMs));
  }

  /** Adds a post of a page that is on screen. Posts without a page of the service are ignored. */
  add(postId: string, requestId: string | null): void {
    if (requestId === null) return;
    const known = this.known.get(requestId) ?? new Set();
    if (known.has(postId)) return;
    this.known.set(requestId, known.add(postId));
    this.pending.set(requestId, [...(this.pending.get(requestId) ?? []), postId]);
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => void this.flush(), BATCH_DELAY_MS);
  }

  /** Sends what is pending. The promise is never rejected. */
  async flush(): Promise<void> {
    const pages = this.take();
    if (pages.length === 0) return;
    try {
      await this.options.send(pages);
    } catch {
      // The service is away. Without this report, the ranking counts the posts as shown.
    }
  }

  /** Sends what is pending as a beacon. Call it when the page is hidden or closed. */
  sendBeacon(): void {
    const pages = this.take();
    if (pages.length > 0) this.options.beacon?.(pages);
  }

  private take(): SeenPage[] {
    const pages = [...this.pending].map(([request_id, seen]) => ({ request_id, seen }));
    this.pending.clear();
    this.scheduled = false;
    return pages;
  }
}
