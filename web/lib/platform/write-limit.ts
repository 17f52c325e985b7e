import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { config } from "./config";

const WINDOW_SECONDS = 60;

// Next.js may bundle a copy of this module into each route; a global lets all of them share one limiter.
const shared = globalThis as typeof globalThis & { feedWriteLimiter?: RateLimiterMemory };

/**
 * Counts the writes of a user. Returns 0 if they are within EVENTS_PER_MINUTE, else the seconds after which the next ones
 * are. Each process counts for itself.
 */
export async function secondsUntilAllowed(userId: string, writes: number): Promise<number> {
  shared.feedWriteLimiter ??= new RateLimiterMemory({ points: config.eventsPerMinute, duration: WINDOW_SECONDS });
  try {
    await shared.feedWriteLimiter.consume(userId, writes);
    return 0;
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    return Math.max(1, Math.ceil(error.msBeforeNext / 1000));
  }
}
