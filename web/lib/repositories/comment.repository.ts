import { query } from "@/lib/platform/database";

export interface Comment {
  id: string;
  author: string;
  text: string;
  createdAt: string;
}

/** The newest comments of a post, in order of time. The text of a comment is in the metadata of its event. */
export async function findComments(postId: string, limit: number): Promise<Comment[]> {
  const rows = await query<{ id: string; author: string; text: string; occurred_at: Date }>(
    `SELECT * FROM (
       SELECT i.id, COALESCE(NULLIF(u.username, ''), u.external_id) AS author, i.metadata->>'text' AS text, i.occurred_at
       FROM user_interaction i JOIN users u ON u.id = i.user_id
       WHERE i.post_id = $1 AND i.interaction_type = 'comment' AND i.metadata->>'text' <> ''
       ORDER BY i.occurred_at DESC LIMIT $2) newest
     ORDER BY occurred_at`,
    [postId, limit],
  );
  return rows.map(({ occurred_at, ...comment }) => ({ ...comment, createdAt: occurred_at.toISOString() }));
}
