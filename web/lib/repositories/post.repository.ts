import type { FeedMode } from "@feed/client";
import { query } from "@/lib/platform/database";
import { userUuid } from "@/lib/platform/ids";
import type { PostWithUser } from "@/lib/feed/post";

/** A post with its dense number, by which a scroll remembers what it has shown. */
export type NumberedPost = PostWithUser & { seq: number };

interface PostRow {
  id: string;
  seq: string;
  external_id: string;
  content: string | null;
  tags: string[];
  created_at: Date;
  author_id: string | null;
  author_name: string | null;
  follower_count: number | null;
  likes: string;
  comments: string;
  shares: string;
  liked: boolean;
  shared: boolean;
}

const COLUMNS = `
  p.id, p.seq, p.external_id, p.content, p.tags, p.created_at,
  a.external_id AS author_id, COALESCE(NULLIF(a.username, ''), a.external_id) AS author_name, a.follower_count,
  GREATEST(COALESCE(p.like_count, 0), e.likes) AS likes,
  GREATEST(COALESCE(p.comment_count, 0), e.comments) AS comments,
  e.shares, e.liked, e.shared`;

// idx_user_interaction_post serves this, for the posts of one page only
const JOINS = `
  LEFT JOIN users a ON a.id = p.author_id
  CROSS JOIN LATERAL (
    SELECT count(DISTINCT i.user_id) FILTER (WHERE i.interaction_type = 'like') AS likes,
           count(*) FILTER (WHERE i.interaction_type = 'comment') AS comments,
           count(*) FILTER (WHERE i.interaction_type = 'share') AS shares,
           COALESCE(bool_or(i.interaction_type = 'like' AND i.user_id = $1), false) AS liked,
           COALESCE(bool_or(i.interaction_type = 'share' AND i.user_id = $1), false) AS shared
    FROM user_interaction i WHERE i.post_id = p.id
  ) e`;

/** What nobody may be shown: hidden posts, posts of tomorrow, one's own. */
const ELIGIBLE = `p.visible AND p.created_at <= now() AND p.author_id IS DISTINCT FROM $1`;
const UNMET = `NOT EXISTS (SELECT FROM user_interaction m WHERE m.user_id = $1 AND m.post_id = p.id)`;
const FOLLOWED = `EXISTS (SELECT FROM follows f WHERE f.follower_id = $1 AND f.followee_id = p.author_id)`;

/** The shuffle draws from this many of the newest posts left, so that its cost does not grow with the catalogue. */
const SHUFFLE_WINDOW = 2000;

/** Visible posts by id, in the order of the ids; those that are gone or hidden by now are left out. */
export async function findPosts(viewer: string, postIds: readonly string[]): Promise<NumberedPost[]> {
  if (postIds.length === 0) return [];
  const rows = await query<PostRow>(
    `SELECT ${COLUMNS} FROM posts p ${JOINS} WHERE p.id = ANY($2::uuid[]) AND p.visible`,
    [userUuid(viewer), postIds],
  );
  const found = new Map(rows.map((row) => [row.id, postOf(row)]));
  return postIds.flatMap((id) => found.get(id) ?? []);
}

export interface Choice {
  limit: number;
  /** `seq` of the posts to leave out. */
  without: ReadonlySet<number>;
  /** Whether posts that the viewer has any event with may come. */
  metAllowed: boolean;
}

/** Eligible posts without the service's help: shuffled for the ranked feed, newest first for the others. */
export async function choosePosts(viewer: string, mode: FeedMode, choice: Choice): Promise<NumberedPost[]> {
  const conditions = [ELIGIBLE, "p.seq <> ALL($2::bigint[])"];
  if (!choice.metAllowed) conditions.push(UNMET);
  if (mode === "following") conditions.push(FOLLOWED);
  const newest = (limit: number) => `
    SELECT p.* FROM posts p WHERE ${conditions.join(" AND ")}
    ORDER BY p.created_at DESC, p.seq DESC LIMIT ${limit}`;
  const chosen =
    mode === "ranked"
      ? `SELECT *, random() AS place FROM (${newest(SHUFFLE_WINDOW)}) recent ORDER BY place LIMIT $3`
      : `SELECT *, row_number() OVER () AS place FROM (${newest(1000)}) recent LIMIT $3`;
  const rows = await query<PostRow>(
    `WITH p AS MATERIALIZED (${chosen}) SELECT ${COLUMNS} FROM p ${JOINS} ORDER BY p.place`,
    [userUuid(viewer), [...choice.without], choice.limit],
  );
  return rows.map(postOf);
}

/** The ids behind the dense numbers, newest first, at most `limit`. */
export async function findPostIds(numbers: ReadonlySet<number>, limit: number): Promise<string[]> {
  if (numbers.size === 0) return [];
  const rows = await query<{ id: string }>(
    `SELECT id FROM posts WHERE seq = ANY($1::bigint[]) ORDER BY created_at DESC LIMIT $2`,
    [[...numbers], limit],
  );
  return rows.map((row) => row.id);
}

/** What is talked about most now: events of the last week, each halved for every day of its age. */
export async function findTrending(viewer: string, limit: number): Promise<NumberedPost[]> {
  const rows = await query<{ post_id: string }>(
    `SELECT i.post_id
     FROM user_interaction i JOIN posts p ON p.id = i.post_id
     WHERE i.created_at > now() - interval '7 days' AND ${ELIGIBLE}
     GROUP BY i.post_id
     ORDER BY sum(0.5 ^ (extract(epoch FROM now() - i.created_at) / 86400.0)) DESC LIMIT $2`,
    [userUuid(viewer), limit],
  );
  return findPosts(
    viewer,
    rows.map((row) => row.post_id),
  );
}

function postOf(row: PostRow): NumberedPost {
  return {
    id: row.id,
    seq: Number(row.seq),
    externalId: row.external_id,
    content: row.content,
    tags: row.tags,
    createdAt: row.created_at.toISOString(),
    author:
      row.author_id === null
        ? null
        : { id: row.author_id, name: row.author_name ?? row.author_id, followerCount: row.follower_count ?? 0 },
    likeCount: Number(row.likes),
    commentCount: Number(row.comments),
    shareCount: Number(row.shares),
    liked: row.liked,
    shared: row.shared,
    why: null,
  };
}
