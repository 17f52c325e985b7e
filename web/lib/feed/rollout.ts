import { createHash } from "node:crypto";

/**
 * True for `percent` of all users. A hash of the id decides, so the result for a user never changes, and a higher
 * percentage only adds users.
 */
export function getsRankedFeed(userId: string, percent: number): boolean {
  const fraction = createHash("sha256").update(`feed:${userId}`).digest().readUInt32BE(0) / 2 ** 32;
  return fraction * 100 < percent;
}
