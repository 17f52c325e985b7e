import { createHash } from "node:crypto";

/**
 * Whether a user belongs to the first `percent` of all users, in an order that is fixed by their ids: the same user
 * always gets the same answer, and raising the share only adds users.
 */
export function getsRankedFeed(userId: string, percent: number): boolean {
  const place = createHash("sha256").update(`feed:${userId}`).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < percent;
}
