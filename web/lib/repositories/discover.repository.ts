import { sql } from "kysely";
import { read } from "@/lib/platform/database";
import { visibleTo } from "./post.repository";
import { findUserUuid, publicUserId, userName } from "./user.repository";

/** Tags are counted in this many of the newest posts, so that the cost does not grow with the table. */
const RECENT_POSTS = 300;

export interface TrendingTag {
  tag: string;
  /** How many authors use it in recent posts. */
  authorCount: number;
}

/** The tags that most authors use in the newest posts that the viewer may see; a tag of one author is not trending. */
export async function findTrendingTags(viewerId: string, limit: number): Promise<TrendingTag[]> {
  const viewer = await findUserUuid(viewerId);
  return read((database) => {
    const recent = database
      .selectFrom("feed_posts as p")
      .select(["p.author_id", "p.tags"])
      .where(sql<boolean>`p.created_at <= now() AND ${visibleTo(viewer)}`)
      .orderBy("p.created_at", "desc")
      .limit(RECENT_POSTS)
      .as("recent");
    const authorCount = sql<number>`count(DISTINCT recent.author_id)::int`;
    return database
      .selectFrom(recent)
      .innerJoinLateral(sql<{ tag: string }>`unnest(recent.tags)`.as<"used">(sql`used(tag)`), (join) => join.onTrue())
      .select(["used.tag", authorCount.as("authorCount")])
      .groupBy("used.tag")
      .having(authorCount, ">", 1)
      .orderBy(authorCount, "desc")
      .orderBy("used.tag")
      .limit(limit)
      .execute();
  });
}

export interface Person {
  uuid: string;
  id: string;
  name: string;
}

/** The users with these primary keys, in the same order. Unknown ones are skipped. */
export async function findPeople(uuids: readonly string[]): Promise<Person[]> {
  if (uuids.length === 0) return [];
  const rows = await read((database) =>
    database
      .selectFrom("feed_users as u")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select([sql<string>`u.id`.as("uuid"), publicUserId("u").as("id"), userName("u", "n").as("name")])
      .where(sql<boolean>`u.id = ANY(${[...uuids]}::uuid[])`)
      .orderBy(sql`array_position(${[...uuids]}::uuid[], u.id)`)
      .execute(),
  );
  return rows;
}
