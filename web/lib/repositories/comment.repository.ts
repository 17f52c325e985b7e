import { query } from "@/lib/platform/database";
import { VISIBLE } from "./post.repository";
import { findUserUuid, HIDDEN_USERS, userName } from "./user.repository";

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
  const posts = await query(`SELECT FROM feed_posts p WHERE p.id = $2 AND ${VISIBLE}`, [viewer, postId]);
  if (posts.length === 0) return null;
  const rows = await query<{ id: string; author: string; text: string; occurred_at: Date }>(
    `SELECT * FROM (
       SELECT i.id, ${userName("u", "n")} AS author, i.metadata->>'text' AS text, i.occurred_at
       FROM user_interaction i JOIN feed_users u ON u.id = i.user_id LEFT JOIN feed_user_names n ON n.id = u.id
       WHERE i.post_id = $2 AND i.interaction_type = 'comment' AND i.metadata->>'text' <> ''
         AND (i.user_id IN (${HIDDEN_USERS})) IS NOT TRUE
       ORDER BY i.occurred_at DESC LIMIT $3) newest
     ORDER BY occurred_at`,
    [viewer, postId, limit],
  );
  return rows.map(({ occurred_at, ...comment }) => ({ ...comment, createdAt: occurred_at.toISOString() }));
}
