import { type NotNull, type RawBuilder, sql } from "kysely";
import { type Database, read } from "@/lib/platform/database";
import { canonicalId, isUuid, userUuid } from "@/lib/platform/ids";

export interface NamedUser {
  id: string;
  name: string;
}

export interface DemoUser extends NamedUser {
  followerCount: number;
}

/** The comment on the tables that the service created. Other tables belong to another application. */
export const OWNER_MARK = "made by the feed recommendation service";

/** A search looks at so many people whose names match, and at so many whose ids do. */
export const MAX_CANDIDATES = 500;

/** True for a control `k` that is in force. */
export const IN_FORCE = sql<boolean>`(k.until IS NULL OR k.until > now())`;

/**
 * The name of a user, from a row of feed_users and one of feed_user_names. The view of another application may have the
 * column `username`; feed_user_names has the names in the service's own table.
 */
export function userName(user: string, names: string): RawBuilder<string> {
  const [own, stored, id] = [sql.ref(user), sql.ref(`${names}.username`), sql.ref(`${user}.external_id`)];
  return sql<string>`COALESCE(NULLIF(to_jsonb(${own})->>'username', ''), NULLIF(${stored}, ''), ${id})`;
}

/** The id that the application has for a row of `feed_users` with this alias. */
export function publicUserId(user: string): RawBuilder<string> {
  return sql<string>`COALESCE(${sql.ref(`${user}.external_id`)}, ${sql.ref(`${user}.id`)}::text)`;
}

/**
 * The users whose posts and comments a viewer does not see: those whom the viewer mutes or blocks, and those who block
 * the viewer.
 */
export function hiddenUsers(database: Database, viewer: string) {
  const hidden = database
    .selectFrom("feed_controls as k")
    .select("k.target_user_id as user_id")
    .where("k.user_id", "=", viewer)
    .where("k.action", "in", ["mute_author", "block_author"])
    .where(IN_FORCE);
  return hidden.unionAll(blockers(database, viewer));
}

/** The users who block a viewer. */
export function blockers(database: Database, viewer: string) {
  return database
    .selectFrom("feed_controls as k")
    .select("k.user_id")
    .where("k.target_user_id", "=", viewer)
    .where("k.action", "=", "block_author")
    .where(IN_FORCE);
}

/** The words of a name or an id, as the service's indexes have them (migration 0025). */
function wordsOf(text: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`array_to_tsvector(array_remove(string_to_array(feed_words(left(${text}, 200)), ' '), ''))`;
}

/**
 * The primary keys of users whose name or id has words that begin with the words of a search; with a limit, so many by
 * name and so many by id. Names in a view of another application have no index.
 */
export function findCandidates(search: string, limit: number | null = null): RawBuilder<string> {
  const query = sql`(
    SELECT string_agg('''' || word || ''':*', ' & ') FROM unnest(string_to_array(feed_words(${search}), ' ')) AS word
    WHERE word <> ''
  )::tsquery`;
  const hasOwnNames = sql`(
    SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('feed_users') AND attname = 'username')
  )`;
  return sql`(
    (SELECT id FROM feed_user_names WHERE ${wordsOf(sql.ref("username"))} @@ ${query} LIMIT ${limit})
    UNION ALL
    (SELECT id FROM feed_users WHERE ${wordsOf(sql.ref("external_id"))} @@ ${query} LIMIT ${limit})
    UNION ALL
    (SELECT v.id FROM feed_users v
     WHERE ${hasOwnNames} AND ${wordsOf(sql`(to_jsonb(v)->>'username')`)} @@ ${query} LIMIT ${limit})
  )`;
}

/** The primary key of the user with this id; of an unknown user, the one that they would have. */
export async function findUserUuid(userId: string): Promise<string> {
  const id = sql<string | null>`feed_user_id(${userId})`.as("id");
  const row = await read((database) => database.selectNoFrom(id).executeTakeFirst());
  return row?.id ?? userUuid(userId);
}

/**
 * Users that a visitor of the demo can act as: those that match the search, in the order of their creation, without
 * users who block the viewer.
 */
export async function findUsers(viewerId: string, search: string, limit: number): Promise<DemoUser[]> {
  const viewer = await findUserUuid(viewerId);
  const name = userName("u", "n");
  const rows = await read((database) =>
    database
      .selectFrom("feed_users as u")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select(({ fn, selectFrom }) => [
        "u.external_id",
        name.as("name"),
        "n.follower_count",
        selectFrom("feed_follows as f")
          .whereRef("f.followee_id", "=", "u.id")
          .select(fn.countAll<string>().as("count"))
          .as("counted"),
      ])
      .$if(search !== "", (users) => users.where("u.id", "in", findCandidates(search, MAX_CANDIDATES)))
      .where("u.id", "not in", blockers(database, viewer).where("k.user_id", "is not", null))
      .orderBy("u.created_at")
      .orderBy("u.external_id")
      .limit(limit)
      .$narrowType<{ external_id: NotNull }>()
      .execute(),
  );
  return rows.map((row) => ({
    id: row.external_id,
    name: row.name,
    followerCount: Math.max(Number(row.follower_count), Number(row.counted)),
  }));
}

/** The user's name; null if the user is not in the database. */
export async function findUserName(userId: string): Promise<string | null> {
  const row = await read((database) =>
    database
      .selectFrom("feed_users as u")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select(userName("u", "n").as("name"))
      .where("u.id", "=", sql<string>`feed_user_id(${userId})`)
      .executeTakeFirst(),
  );
  return row?.name ?? null;
}

/** The name of a visitor, from their primary key. */
export function visitorName(id: string): string {
  return `visitor-${id.slice(0, 8)}`;
}

/** Stores a visitor as a user. Does nothing if the user exists, or if another application stores the users. */
export async function registerVisitor(userId: string): Promise<void> {
  const comment = sql<string | null>`obj_description(to_regclass('users'), 'pg_class')`.as("comment");
  const owner = await read((database) => database.selectNoFrom(comment).executeTakeFirst());
  if (owner?.comment !== OWNER_MARK) return;
  const [id, canonical] = [await findUserUuid(userId), canonicalId(userId)];
  await read((database) =>
    database
      .insertInto("users")
      .values({ id, external_id: isUuid(canonical) ? canonical : userId, username: visitorName(id) })
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
}
