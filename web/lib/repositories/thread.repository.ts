import { sql } from "kysely";
import type { PostWithUser } from "@/lib/feed/post";
import type { ListedPost } from "@/lib/feed/post-list";
import { read } from "@/lib/platform/database";
import { findPosts, shownPost } from "./post.repository";

/** A thread is followed so far up from a post, and so many replies are shown below each of its replies. */
const MAX_ANCESTORS = 20;
const NESTED_REPLIES = 2;
/** The viewer may not see all of them. */
const NESTED_CANDIDATES = 6;

type NestedReplies = NonNullable<ListedPost["replies"]>;

/**
 * The posts above a reply, the beginning of the thread first. A part of the thread is null if the viewer may not
 * see it, if it is deleted, or if it is too far away.
 */
export async function findAncestors(viewerId: string, postId: string): Promise<(PostWithUser | null)[]> {
  const ids = await read(async (database) => {
    const rows = await database
      .withRecursive("thread", (cte) =>
        cte
          .selectFrom("feed_post_settings as s")
          .select(["s.reply_to as id", sql<number>`1`.as("distance")])
          .where("s.id", "=", postId)
          .where("s.reply_to", "is not", null)
          .unionAll(
            cte
              .selectFrom("thread as t")
              .innerJoin("feed_post_settings as s", "s.id", "t.id")
              .select(["s.reply_to as id", sql<number>`t.distance + 1`.as("distance")])
              .where("s.reply_to", "is not", null)
              .where("t.distance", "<=", MAX_ANCESTORS),
          ),
      )
      .selectFrom("thread")
      .select("thread.id")
      .orderBy("thread.distance", "desc")
      .$castTo<{ id: string }>()
      .execute();
    return rows.map(({ id }) => id);
  });
  const near = ids.slice(-MAX_ANCESTORS);
  const visible = new Map((await findPosts(viewerId, near)).map((post) => [post.id, shownPost(post)]));
  const places = near.map((id) => visible.get(id) ?? null);
  if (near.length < ids.length) places.unshift(null);
  return places.filter((post, index) => post !== null || index === 0 || places[index - 1] !== null);
}

/** The first replies to each of these posts that the viewer may see, by post. */
export async function findNestedReplies(
  viewerId: string,
  postIds: readonly string[],
): Promise<ReadonlyMap<string, NestedReplies>> {
  const nested = new Map<string, NestedReplies>();
  if (postIds.length === 0) return nested;
  const rows = await read((database) =>
    database
      .selectFrom(sql<{ id: string }>`unnest(${[...postIds]}::uuid[])`.as<"parent">(sql`parent(id)`))
      .innerJoinLateral(
        ({ selectFrom }) =>
          selectFrom("feed_post_settings as s")
            .innerJoin("feed_posts as p", "p.id", "s.id")
            .select(["p.id", "p.created_at"])
            .whereRef("s.reply_to", "=", "parent.id")
            .orderBy("p.created_at")
            .limit(NESTED_CANDIDATES)
            .as("reply"),
        (join) => join.onTrue(),
      )
      .select(["parent.id as parent", "reply.id"])
      .orderBy("reply.created_at")
      .$castTo<{ parent: string; id: string }>()
      .execute(),
  );
  const posts = await findPosts(
    viewerId,
    rows.map(({ id }) => id),
  );
  const visible = new Map(posts.map((post) => [post.id, shownPost(post)]));
  for (const parent of postIds) {
    const replies = rows.flatMap((row) => (row.parent === parent ? (visible.get(row.id) ?? []) : []));
    if (replies.length === 0) continue;
    nested.set(parent, { posts: replies.slice(0, NESTED_REPLIES), hasMore: replies.length > NESTED_REPLIES });
  }
  return nested;
}
