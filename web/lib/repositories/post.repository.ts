import type { FeedMode } from "@feed/client";
import type { TimePosition } from "@/lib/feed/cursor";
import type { PostWithUser } from "@/lib/feed/post";
import { query } from "@/lib/platform/database";
import { findUserUuid, HIDDEN_USERS, userName } from "./user.repository";

/**
 * A post with its dense number `seq` and its time in microseconds. Cursors store the `seq` of shown posts, because it is
 * shorter than the id.
 */
export type PostWithSeq = PostWithUser & TimePosition;

interface PostRow {
  id: string;
  seq: string;
  created_us: string;
  external_id: string;
  content: string | null;
  tags: string[];
  created_at: Date;
  author_id: string | null;
  author_name: string | null;
  author_followed: boolean;
  likes: string;
  comments: string;
  shares: string;
  liked: boolean;
  shared: boolean;
}

const COLUMNS = `
  p.id, p.seq, COALESCE(p.external_id, p.id::text) AS external_id, p.content, COALESCE(p.tags, '{}') AS tags, p.created_at,
  (extract(epoch FROM p.created_at) * 1000000)::bigint AS created_us,
  COALESCE(a.external_id, a.id::text) AS author_id, ${userName("a", "n")} AS author_name,
  EXISTS (SELECT FROM feed_follows f WHERE f.follower_id = $1 AND f.followee_id = a.id) AS author_followed,
  GREATEST(COALESCE(c.like_count, 0), COALESCE(e.likes, 0)) AS likes,
  GREATEST(COALESCE(c.comment_count, 0), COALESCE(e.comments, 0)) - h.comments AS comments, COALESCE(e.shares, 0) AS shares,
  COALESCE(o.likes > 0, false) AS liked, COALESCE(o.shares > 0, false) AS shared`;

// Triggers of the service keep the counts: a post has a few rows, and a user has one with each post.
const JOINS = `
  LEFT JOIN feed_users a ON a.id = p.author_id
  LEFT JOIN feed_user_names n ON n.id = a.id
  LEFT JOIN feed_post_counts c ON c.id = p.id
  CROSS JOIN LATERAL (
    SELECT sum(g.likes) AS likes, sum(g.comments) AS comments, sum(g.shares) AS shares
    FROM feed_engagement_count g WHERE g.post_id = p.id
  ) e
  LEFT JOIN feed_engagement o ON o.post_id = p.id AND o.user_id = $1
  CROSS JOIN LATERAL (
    SELECT COALESCE(sum(g.comments), 0) AS comments FROM feed_engagement g
    WHERE g.post_id = p.id AND g.user_id IN (${HIDDEN_USERS})
  ) h`;

/**
 * Leaves out posts that the viewer may not see or does not want to see. The function belongs to the service and holds
 * all of its rules. OFFSET 0 makes PostgreSQL check post by post. Without it, the query for the newest posts may read
 * the whole table: 450 ms instead of 150 for 200,000 posts and 500 controls.
 */
export const VISIBLE = `EXISTS (SELECT FROM feed_visible_posts($1::uuid) AS v(post_id) WHERE v.post_id = p.id OFFSET 0)`;
/** Leaves out posts from the future and the viewer's own posts as well. */
const ELIGIBLE = `p.created_at <= now() AND p.author_id IS DISTINCT FROM $1 AND ${VISIBLE}`;
const UNSEEN = `NOT EXISTS (SELECT FROM user_interaction s WHERE s.user_id = $1 AND s.post_id = p.id)`;
const FOLLOWED = `EXISTS (SELECT FROM feed_follows f WHERE f.follower_id = $1 AND f.followee_id = p.author_id)`;

/** Random posts are drawn from this many of the newest eligible posts, so that the cost does not grow with the table. */
const MAX_RANDOM_CANDIDATES = 2000;

/** The posts with these ids, in the same order. Posts that are deleted or not visible to the viewer are skipped. */
export async function findPosts(viewerId: string, postIds: readonly string[]): Promise<PostWithSeq[]> {
  if (postIds.length === 0) return [];
  const rows = await query<PostRow>(
    `SELECT ${COLUMNS} FROM feed_posts p ${JOINS} WHERE p.id = ANY($2::uuid[]) AND ${VISIBLE}`,
    [await findUserUuid(viewerId), postIds],
  );
  const found = new Map(rows.map((row) => [row.id, postFromRow(row)]));
  return postIds.flatMap((id) => found.get(id) ?? []);
}

export interface EligiblePostsQuery {
  mode: FeedMode;
  limit: number;
  /** The posts to leave out. */
  excludeSeqs: ReadonlySet<number>;
  /** Whether to return posts that the viewer has already seen, which means that they have an event with them. */
  includeSeen: boolean;
  /** Only posts after this position, newest first; null for any. */
  after?: TimePosition | null;
}

/** Posts that the viewer may see, without the service: in random order for the ranked feed, else newest first. */
export async function findEligiblePosts(viewerId: string, request: EligiblePostsQuery): Promise<PostWithSeq[]> {
  const conditions = [ELIGIBLE, "p.seq <> ALL($2::bigint[])"];
  if (!request.includeSeen) conditions.push(UNSEEN);
  if (request.mode === "following") conditions.push(FOLLOWED);
  const { after } = request;
  if (after) {
    const time = `timestamptz 'epoch' + $4::bigint * interval '1 microsecond'`;
    conditions.push(`p.created_at <= ${time} AND (p.created_at, p.seq) < (${time}, $5::bigint)`);
  }
  const newest = `
    SELECT p.* FROM feed_posts p WHERE ${conditions.join(" AND ")}
    ORDER BY p.created_at DESC, p.seq DESC`;
  const selected =
    request.mode === "ranked"
      ? `SELECT *, random() AS ordinal FROM (${newest} LIMIT ${MAX_RANDOM_CANDIDATES}) p ORDER BY ordinal LIMIT $3`
      : `SELECT *, row_number() OVER () AS ordinal FROM (${newest} LIMIT $3) p`;
  const rows = await query<PostRow>(
    `WITH p AS MATERIALIZED (${selected}) SELECT ${COLUMNS} FROM p ${JOINS} ORDER BY p.ordinal`,
    [
      await findUserUuid(viewerId),
      [...request.excludeSeqs],
      request.limit,
      ...(after ? [after.createdUs, after.seq] : []),
    ],
  );
  return rows.map(postFromRow);
}

/** The ids of the posts with these `seq`, newest first, at most `limit`. */
export async function findPostIds(seqs: ReadonlySet<number>, limit: number): Promise<string[]> {
  if (seqs.size === 0) return [];
  const rows = await query<{ id: string }>(
    `SELECT id FROM feed_posts WHERE seq = ANY($1::bigint[]) ORDER BY created_at DESC LIMIT $2`,
    [[...seqs], limit],
  );
  return rows.map((row) => row.id);
}

/** The posts with the most engagement: the sum of the events of the last week, with a half-life of one day. */
export async function findTrendingPosts(viewerId: string, limit: number): Promise<PostWithSeq[]> {
  const rows = await query<{ post_id: string }>(
    `SELECT i.post_id
     FROM user_interaction i JOIN feed_posts p ON p.id = i.post_id
     WHERE i.created_at > now() - interval '7 days' AND ${ELIGIBLE}
     GROUP BY i.post_id
     ORDER BY sum(0.5 ^ (extract(epoch FROM now() - i.created_at) / 86400.0)) DESC LIMIT $2`,
    [await findUserUuid(viewerId), limit],
  );
  return findPosts(
    viewerId,
    rows.map((row) => row.post_id),
  );
}

function postFromRow(row: PostRow): PostWithSeq {
  return {
    id: row.id,
    seq: Number(row.seq),
    createdUs: Number(row.created_us),
    externalId: row.external_id,
    content: row.content,
    tags: row.tags,
    createdAt: row.created_at.toISOString(),
    author: row.author_id === null ? null : authorFromRow(row, row.author_id),
    likeCount: Number(row.likes),
    commentCount: Number(row.comments),
    shareCount: Number(row.shares),
    liked: row.liked,
    shared: row.shared,
    why: null,
  };
}

function authorFromRow(row: PostRow, id: string): PostWithUser["author"] {
  return {
    id,
    name: row.author_name ?? id,
    followed: row.author_followed,
  };
}
