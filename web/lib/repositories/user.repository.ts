import { query } from "@/lib/platform/database";
import { canonicalId, isUuid, userUuid } from "@/lib/platform/ids";

export interface DemoUser {
  id: string;
  name: string;
  followerCount: number;
}

/** The comment on the tables that the service created. Other tables belong to another application. */
const OWNER_MARK = "made by the feed recommendation service";

/**
 * SQL for the name of a user, from a row of feed_users and one of feed_user_names. The view of another application may
 * have the column `username`; feed_user_names has the names in the service's own table.
 */
export function userName(user: string, names: string): string {
  return `COALESCE(NULLIF(to_jsonb(${user})->>'username', ''), NULLIF(${names}.username, ''), ${user}.external_id)`;
}

/**
 * SQL for the users whose posts and comments the viewer $1 does not see: those whom the viewer mutes or blocks, and those
 * who block the viewer.
 */
export const HIDDEN_USERS = `
  SELECT k.target_user_id FROM feed_controls k
  WHERE k.user_id = $1 AND k.action IN ('mute_author', 'block_author') AND (k.until IS NULL OR k.until > now())
  UNION ALL
  SELECT k.user_id FROM feed_controls k
  WHERE k.target_user_id = $1 AND k.action = 'block_author' AND (k.until IS NULL OR k.until > now())`;

/** The primary key of the user with this id; of an unknown user, the one that they would have. */
export async function findUserUuid(userId: string): Promise<string> {
  const [row] = await query<{ id: string }>(`SELECT feed_user_id($1) AS id`, [userId]);
  return row?.id ?? userUuid(userId);
}

/**
 * Users that a visitor of the demo can act as: those that match the search, in the order of their creation, without
 * users who block the viewer.
 */
export async function findUsers(viewerId: string, search: string, limit: number): Promise<DemoUser[]> {
  const rows = await query<{ external_id: string; name: string; follower_count: string }>(
    `SELECT u.external_id, ${userName("u", "n")} AS name,
            GREATEST(n.follower_count, (SELECT count(*) FROM feed_follows f WHERE f.followee_id = u.id)) AS follower_count
     FROM feed_users u LEFT JOIN feed_user_names n ON n.id = u.id
     WHERE ($2 = '' OR ${userName("u", "n")} ILIKE $3 OR u.external_id ILIKE $3)
       AND NOT EXISTS (
         SELECT FROM feed_controls k WHERE k.user_id = u.id AND k.target_user_id = $1 AND k.action = 'block_author'
         AND (k.until IS NULL OR k.until > now()))
     ORDER BY u.created_at, u.external_id LIMIT $4`,
    [await findUserUuid(viewerId), search, `%${search.replaceAll(/[\\%_]/g, "\\$&")}%`, limit],
  );
  return rows.map((row) => ({
    id: row.external_id,
    name: row.name,
    followerCount: Number(row.follower_count),
  }));
}

/** The user's name; null if the user is not in the database. */
export async function findUserName(userId: string): Promise<string | null> {
  const rows = await query<{ name: string }>(
    `SELECT ${userName("u", "n")} AS name FROM feed_users u LEFT JOIN feed_user_names n ON n.id = u.id WHERE u.id = feed_user_id($1)`,
    [userId],
  );
  return rows[0]?.name ?? null;
}

/** Stores a visitor as a user. Does nothing if the user exists, or if another application stores the users. */
export async function registerVisitor(userId: string): Promise<void> {
  const [owner] = await query<{ comment: string | null }>(
    `SELECT obj_description(to_regclass('users'), 'pg_class') AS comment`,
  );
  if (owner?.comment !== OWNER_MARK) return;
  const [id, canonical] = [await findUserUuid(userId), canonicalId(userId)];
  await query(`INSERT INTO users (id, external_id, username) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
    id,
    isUuid(canonical) ? canonical : userId,
    `visitor-${id.slice(0, 8)}`,
  ]);
}
