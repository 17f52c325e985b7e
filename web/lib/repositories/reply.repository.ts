import { sql } from "kysely";
import type { Reply } from "@/lib/feed/reply";
import { read } from "@/lib/platform/database";
import { isVisible, visibleTo } from "./post.repository";
import { findUserUuid, hiddenUsers, userName } from "./user.repository";

interface ReplyRow {
  id: string;
  author_id: string;
  text: string;
  at: Date;
  is_post: boolean;
}

/**
 * The newest replies to a post that the viewer may see, in order of time; null if they may not see the post. A comment
 * event with a text that is no post is a reply too: on a post for followers, and from other clients of the service.
 */
export async function findReplies(viewerId: string, postId: string, limit: number): Promise<Reply[] | null> {
  const viewer = await findUserUuid(viewerId);
  if (!(await isVisible(viewer, postId))) return null;
  const text = sql<string>`i.metadata->>'text'`;
  const rows = await read((database) => {
    const posts = database
      .selectFrom("feed_posts as p")
      .innerJoin("feed_post_settings as s", "s.id", "p.id")
      .select(["p.id", "p.author_id", "p.content as text", "p.created_at as at", sql<boolean>`true`.as("is_post")])
      .where("s.reply_to", "=", postId)
      .where(visibleTo(viewer))
      .$castTo<ReplyRow>();
    const comments = database
      .selectFrom("user_interaction as i")
      .select([
        sql<string>`COALESCE(i.event_id, i.id)`.as("id"),
        "i.user_id as author_id",
        text.as("text"),
        "i.occurred_at as at",
        sql<boolean>`false`.as("is_post"),
      ])
      .where("i.post_id", "=", postId)
      .where("i.interaction_type", "=", "comment")
      .where(text, "<>", "")
      .where(sql<boolean>`NOT EXISTS (SELECT FROM feed_posts r WHERE r.id = COALESCE(i.event_id, i.id))`)
      .where(({ eb }) => sql<boolean>`(${eb("i.user_id", "in", hiddenUsers(database, viewer))}) IS NOT TRUE`);
    return database
      .selectFrom(posts.unionAll(comments).as("r"))
      .innerJoin("feed_users as u", "u.id", "r.author_id")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select(["r.id", "r.author_id", userName("u", "n").as("author"), "r.text", "r.at", "r.is_post"])
      .orderBy("r.at", "desc")
      .limit(limit)
      .execute();
  });
  return rows.reverse().map(({ id, author_id, author, text, at, is_post }) => ({
    id,
    author,
    text,
    createdAt: at.toISOString(),
    own: author_id === viewer,
    isPost: is_post,
  }));
}
