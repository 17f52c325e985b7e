import type { FeedMode } from "@feed/client";
import { type SelectQueryBuilder, sql } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/postgres";
import type { TimePosition } from "@/lib/feed/cursor";
import type { OriginalPost, PostExcerpt, PostWithUser } from "@/lib/feed/post";
import { type Database, read } from "@/lib/platform/database";
import type { DB } from "@/lib/platform/database-types";
import { findUserUuid, hiddenUsers, publicUserId, userName } from "./user.repository";

/**
 * A post with its dense number `seq` and its time in microseconds. Cursors store the `seq` of shown posts, because it is
 * shorter than the id.
 */
export type PostWithSeq = PostWithUser & TimePosition;

/** The post without the fields that no page shows. */
export function shownPost({ seq: _seq, createdUs: _createdUs, externalId, ...post }: PostWithSeq): PostWithUser {
  return post.content === null ? { ...post, externalId } : post;
}

/** Random posts are drawn from this many of the newest eligible posts, so that the cost does not grow with the table. */
const MAX_RANDOM_CANDIDATES = 2000;

/** The largest length of the text of an excerpt, in characters. */
const MAX_EXCERPT_LENGTH = 280;

/** A post shows at most this many pictures. */
const MAX_PICTURES = 4;

/** A row of feed_posts, in a query that has an order of its own. */
interface SelectedPost {
  id: string;
  seq: string;
  external_id: string | null;
  author_id: string | null;
  content: string | null;
  tags: string[] | null;
  created_at: Date;
  ordinal: number;
}

/**
 * Leaves out posts `p` that the viewer may not see or does not want to see. The function belongs to the service and holds
 * all of its rules. OFFSET 0 makes PostgreSQL check post by post. Without it, the query for the newest posts may read
 * the whole table: 450 ms instead of 150 for 200,000 posts and 500 controls.
 */
export function visibleTo(viewer: string) {
  return sql<boolean>`EXISTS (SELECT FROM feed_visible_posts(${viewer}::uuid) AS v(post_id) WHERE v.post_id = p.id OFFSET 0)`;
}

/** Whether the viewer may see a post. `postId` is a UUID. */
export async function isVisible(viewer: string, postId: string): Promise<boolean> {
  const post = await read((database) =>
    database
      .selectFrom("feed_posts as p")
      .select("p.id")
      .where("p.id", "=", postId)
      .where(visibleTo(viewer))
      .executeTakeFirst(),
  );
  return post !== undefined;
}

/** Leaves out posts from the future and the viewer's own posts as well. */
function eligibleFor(viewer: string) {
  return sql<boolean>`p.created_at <= now() AND p.author_id IS DISTINCT FROM ${viewer} AND ${visibleTo(viewer)}`;
}

/** The posts with these ids, in the same order. Posts that are deleted or not visible to the viewer are skipped. */
export async function findPosts(viewerId: string, postIds: readonly string[]): Promise<PostWithSeq[]> {
  if (postIds.length === 0) return [];
  const viewer = await findUserUuid(viewerId);
  return readPosts(viewer, (database) =>
    selectPosts(database)
      .select(sql<number>`array_position(${[...postIds]}::uuid[], p.id)`.as("ordinal"))
      .where(sql<boolean>`p.id = ANY(${[...postIds]}::uuid[])`)
      .where(visibleTo(viewer)),
  );
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
  const viewer = await findUserUuid(viewerId);
  const isRandom = request.mode === "ranked";
  return readPosts(viewer, (database) => {
    const newest = selectNewest(database, viewer, request)
      .limit(isRandom ? MAX_RANDOM_CANDIDATES : request.limit)
      .as("p");
    const ordinal = isRandom ? sql<number>`random()` : sql<number>`row_number() OVER ()`;
    return database
      .selectFrom(newest)
      .selectAll()
      .select(ordinal.as("ordinal"))
      .orderBy("ordinal")
      .limit(request.limit);
  });
}

/** The posts of a request, newest first. */
function selectNewest(database: Database, viewer: string, request: EligiblePostsQuery) {
  const { after } = request;
  const time = sql<Date>`timestamptz 'epoch' + ${after?.createdUs}::bigint * interval '1 microsecond'`;
  const seen = sql<boolean>`EXISTS (SELECT FROM user_interaction s WHERE s.user_id = ${viewer} AND s.post_id = p.id)`;
  const followed = sql<boolean>`EXISTS (SELECT FROM feed_follows f WHERE f.follower_id = ${viewer} AND f.followee_id = p.author_id)`;
  return selectPosts(database)
    .where(eligibleFor(viewer))
    .where(sql<boolean>`p.seq <> ALL(${[...request.excludeSeqs]}::bigint[])`)
    .$if(!request.includeSeen, (posts) => posts.where(({ not }) => not(seen)))
    .$if(request.mode === "following", (posts) => posts.where(followed))
    .$if(after != null, (posts) =>
      posts.where(sql<boolean>`p.created_at <= ${time} AND (p.created_at, p.seq) < (${time}, ${after?.seq}::bigint)`),
    )
    .orderBy("p.created_at", "desc")
    .orderBy("p.seq", "desc");
}

/** The ids of the posts with these `seq`, newest first, at most `limit`. */
export async function findPostIds(seqs: ReadonlySet<number>, limit: number): Promise<string[]> {
  if (seqs.size === 0) return [];
  const rows = await read((database) =>
    selectPosts(database)
      .where(sql<boolean>`p.seq = ANY(${[...seqs]}::bigint[])`)
      .orderBy("p.created_at", "desc")
      .limit(limit)
      .execute(),
  );
  return rows.map((row) => row.id);
}

/** The posts with the most engagement: the sum of the events of the last week, with a half-life of one day. */
export async function findTrendingPosts(viewerId: string, limit: number): Promise<PostWithSeq[]> {
  const viewer = await findUserUuid(viewerId);
  const engagement = sql`sum(0.5 ^ (extract(epoch FROM now() - i.created_at) / 86400.0))`;
  const rows = await read((database) =>
    database
      .selectFrom("user_interaction as i")
      .innerJoin("feed_posts as p", "p.id", "i.post_id")
      .select("i.post_id")
      .where(sql<boolean>`i.created_at > now() - interval '7 days'`)
      .where(eligibleFor(viewer))
      .groupBy("i.post_id")
      .orderBy(engagement, "desc")
      .limit(limit)
      .execute(),
  );
  return findPosts(
    viewerId,
    rows.map((row) => row.post_id),
  );
}

/** The columns of posts `p` that a page shows. */
function selectPosts(database: Database) {
  return database
    .selectFrom("feed_posts as p")
    .select(["p.id", "p.seq", "p.external_id", "p.author_id", "p.content", "p.tags", "p.created_at"])
    .$castTo<Omit<SelectedPost, "ordinal">>();
}

/**
 * The selected posts in their order, with author and counts. Triggers of the service keep the counts: a post has a few
 * rows, and a user has one with each post.
 */
async function readPosts(
  viewer: string,
  select: (database: Database) => SelectQueryBuilder<DB, never, SelectedPost>,
): Promise<PostWithSeq[]> {
  const rows = await read((database) =>
    database
      .with(
        (cte) => cte("selected").materialized(),
        () => select(database),
      )
      .selectFrom("selected as p")
      .leftJoin("feed_users as a", "a.id", "p.author_id")
      .leftJoin("feed_user_names as n", "n.id", "a.id")
      .leftJoin("feed_post_counts as c", "c.id", "p.id")
      .leftJoin("feed_engagement as own", (join) =>
        join.onRef("own.post_id", "=", "p.id").on("own.user_id", "=", viewer),
      )
      .leftJoin("feed_post_settings as s", "s.id", "p.id")
      .leftJoin("feed_post_quotes as q", "q.id", "p.id")
      .innerJoinLateral(
        ({ selectFrom }) =>
          selectFrom("feed_engagement_count as g")
            .select(({ fn }) => [
              fn.sum<string | null>("g.likes").as("likes"),
              fn.sum<string | null>("g.comments").as("comments"),
              fn.sum<string | null>("g.shares").as("shares"),
            ])
            .whereRef("g.post_id", "=", "p.id")
            .as("e"),
        (join) => join.onTrue(),
      )
      .innerJoinLateral(
        ({ selectFrom }) =>
          selectFrom("feed_engagement as g")
            .select(({ fn }) => fn.sum<string | null>("g.comments").as("comments"))
            .whereRef("g.post_id", "=", "p.id")
            .where("g.user_id", "in", hiddenUsers(database, viewer))
            .as("hidden"),
        (join) => join.onTrue(),
      )
      .selectAll("p")
      .select(({ selectFrom }) => [
        sql<string>`(extract(epoch FROM p.created_at) * 1000000)::bigint`.as("created_us"),
        publicUserId("a").$castTo<string | null>().as("author_external_id"),
        userName("a", "n").as("author_name"),
        sql<boolean>`EXISTS (SELECT FROM feed_follows f WHERE f.follower_id = ${viewer} AND f.followee_id = a.id)`.as(
          "author_followed",
        ),
        "c.like_count as imported_likes",
        "c.comment_count as imported_comments",
        "e.likes",
        "e.comments",
        "e.shares",
        "hidden.comments as hidden_comments",
        "own.likes as own_likes",
        "own.comments as own_comments",
        "own.shares as own_shares",
        ownRepost(viewer).as("own_repost_id"),
        "s.repost_of",
        "q.quote_of",
        jsonArrayFrom(
          selectFrom("post_media as m")
            .select(["m.url", "m.width", "m.height", "m.alt"])
            .whereRef("m.post_id", "=", "p.id")
            .orderBy("m.position")
            .limit(MAX_PICTURES),
        ).as("media"),
      ])
      .orderBy("p.ordinal")
      .execute(),
  );
  const originals = await readExcerpts(
    viewer,
    rows.flatMap(({ repost_of, quote_of }) => repost_of ?? quote_of ?? []),
  );
  const originalOf = ({ repost_of, quote_of }: (typeof rows)[number]): { original?: OriginalPost } => {
    const id = repost_of ?? quote_of;
    return id === null ? {} : { original: { kind: repost_of ? "repost" : "quote", post: originals.get(id) ?? null } };
  };
  return rows.map((row) => ({
    id: row.id,
    seq: Number(row.seq),
    createdUs: Number(row.created_us),
    externalId: row.external_id ?? row.id,
    content: row.content,
    tags: row.tags ?? [],
    createdAt: row.created_at.toISOString(),
    author:
      row.author_external_id === null
        ? null
        : {
            id: row.author_external_id,
            name: row.author_name ?? row.author_external_id,
            followed: row.author_followed,
          },
    likeCount: Math.max(Number(row.imported_likes), Number(row.likes)),
    commentCount: Math.max(Number(row.imported_comments), Number(row.comments)) - Number(row.hidden_comments),
    shareCount: Number(row.shares),
    liked: Number(row.own_likes) > 0,
    shared: Number(row.own_shares) > 0,
    ...(Number(row.own_comments) > 0 && { ownComments: Number(row.own_comments) }),
    ...(row.own_repost_id && { ownRepostId: row.own_repost_id }),
    ...originalOf(row),
    ...(row.media.length > 0 && { media: row.media }),
    why: null,
  }));
}

/** The viewer's repost of a post `p` with their engagement `own`: its id is that of its event. */
function ownRepost(viewer: string) {
  return sql<string | null>`CASE WHEN own.shares > 0 THEN (
    SELECT r.id FROM user_interaction i JOIN feed_post_settings r ON r.id = i.event_id AND r.repost_of = p.id
    WHERE i.user_id = ${viewer} AND i.post_id = p.id AND i.interaction_type = 'share' LIMIT 1) END`;
}

/** The beginning of a post; null if it does not exist, or the viewer may not see it. */
export async function findExcerpt(viewerId: string, postId: string): Promise<PostExcerpt | null> {
  return (await readExcerpts(await findUserUuid(viewerId), [postId])).get(postId) ?? null;
}

/** The beginnings of the posts with these ids that the viewer may see, by id. */
async function readExcerpts(viewer: string, postIds: string[]): Promise<Map<string, PostExcerpt>> {
  if (postIds.length === 0) return new Map();
  const rows = await read((database) =>
    selectPosts(database)
      .leftJoin("feed_users as a", "a.id", "p.author_id")
      .leftJoin("feed_user_names as n", "n.id", "a.id")
      .select([publicUserId("a").$castTo<string | null>().as("author"), userName("a", "n").as("author_name")])
      .where(sql<boolean>`p.id = ANY(${postIds}::uuid[])`)
      .where(visibleTo(viewer))
      .execute(),
  );
  const beginningOf = (text: string) => {
    const characters = [...text];
    return characters.length > MAX_EXCERPT_LENGTH ? `${characters.slice(0, MAX_EXCERPT_LENGTH).join("")}…` : text;
  };
  return new Map(
    rows.map(({ id, author, author_name, content, created_at }) => [
      id,
      {
        id,
        author: author === null ? null : { id: author, name: author_name },
        text: beginningOf(content ?? ""),
        createdAt: created_at.toISOString(),
      },
    ]),
  );
}
