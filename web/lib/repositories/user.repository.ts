import { query } from "@/lib/platform/database";
import { isUuid, userUuid } from "@/lib/platform/ids";

export interface DemoUser {
  id: string;
  name: string;
  followerCount: number;
  events: number;
}

/** Users that a visitor of the demo can act as: those that match the search, in the order of their creation. */
export async function findUsers(search: string, limit: number): Promise<DemoUser[]> {
  const rows = await query<{ external_id: string; name: string; follower_count: number | null; events: string }>(
    `SELECT u.external_id, COALESCE(NULLIF(u.username, ''), u.external_id) AS name, u.follower_count,
            (SELECT count(*) FROM user_interaction i WHERE i.user_id = u.id) AS events
     FROM users u
     WHERE $1 = '' OR u.username ILIKE $2 OR u.external_id ILIKE $2
     ORDER BY u.seq LIMIT $3`,
    [search, `%${search.replaceAll(/[\\%_]/g, "\\$&")}%`, limit],
  );
  return rows.map((row) => ({
    id: row.external_id,
    name: row.name,
    followerCount: row.follower_count ?? 0,
    events: Number(row.events),
  }));
}

/** The user's name; null if the user is not in the database. */
export async function findUserName(userId: string): Promise<string | null> {
  const rows = await query<{ name: string }>(
    `SELECT COALESCE(NULLIF(username, ''), external_id) AS name FROM users WHERE id = $1`,
    [userUuid(userId)],
  );
  return rows[0]?.name ?? null;
}

/** Stores a visitor as a user. Does nothing if the user exists. */
export async function registerVisitor(userId: string): Promise<void> {
  await query(`INSERT INTO users (id, external_id, username) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
    userUuid(userId),
    isUuid(userId) ? userId.toLowerCase() : userId,
    `visitor-${userUuid(userId).slice(0, 8)}`,
  ]);
}
