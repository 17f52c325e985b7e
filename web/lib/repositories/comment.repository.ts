import { sql } from "kysely";
import { read } from "@/lib/platform/database";
import { visibleTo } from "./post.repository";
import { findUserUuid, hiddenUsers, userName } from "./user.repository";

export interface Comment {
  id: string;
  author: string;
  text: string;
  createdAt: string;
}

/**
 * The newest comments of a post that the viewer may see, in order of time; null if they may not see the post. The text
 * of a comment is in the metadata of its event.
 */
export async function findComments(viewerId: string, postId: string, limit: number): Promise<Comment[] | null> {
  const viewer = await findUserUuid(viewerId);
  const post = await read((database) =>
    database
      .selectFrom("feed_posts as p")
      .select("p.id")
      .where("p.id", "=", postId)
      .where(visibleTo(viewer))
      .executeTakeFirst(),
  );
  if (!post) return null;
  const text = sql<string>`i.metadata->>'text'`;
  const rows = await read((database) =>
    database
      .selectFrom("user_interaction as i")
      .innerJoin("feed_users as u", "u.id", "i.user_id")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select(["i.id", userName("u", "n").as("author"), text.as("text"), "i.occurred_at"])
      .where("i.post_id", "=", postId)
      .where("i.interaction_type", "=", "comment")
      .where(text, "<>", "")
      .where(({ eb }) => sql<boolean>`(${eb("i.user_id", "in", hiddenUsers(database, viewer))}) IS NOT TRUE`)
      .orderBy("i.occurred_at", "desc")
      .limit(limit)
      .execute(),
  );
  return rows.reverse().map(({ occurred_at, ...comment }) => ({ ...comment, createdAt: occurred_at.toISOString() }));
}
