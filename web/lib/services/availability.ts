import type { MLServiceClient } from "./ml-service";
import { fetchUnseenPage } from "./shadow";

/** The result of a check is shared for this long. */
const SHARED_MS = 1000;

/**
 * Checks whether the service returns recommendations. Browsers that show fallback posts ask often, so all requests
 * within a second share one call to the service. A page of one post is requested, because a service whose health
 * report is fine may still reject requests for pages.
 */
export class AvailabilityCheck {
  private last: { startedAtMs: number; result: Promise<boolean> } | null = null;

  constructor(private readonly now: () => number = () => performance.now()) {}

  isAvailable(client: MLServiceClient, userId: string): Promise<boolean> {
    const nowMs = this.now();
    if (this.last === null || nowMs - this.last.startedAtMs >= SHARED_MS) {
      const result = fetchUnseenPage(client, userId, 1).then(({ page }) => page !== null);
      this.last = { startedAtMs: nowMs, result };
    }
    return this.last.result;
  }
}
