import { type RawBuilder, type SelectQueryBuilder, sql } from "kysely";
import type { TimePosition } from "@/lib/feed/cursor";
import {
  decodeListCursor,
  encodeListCursor,
  type ListedPost,
  type PostListName,
  type PostListPage,
} from "@/lib/feed/post-list";
import { type Database, read } from "@/lib/platform/database";
import type { DB } from "@/lib/platform/database-types";
import { isUuid } from "@/lib/platform/ids";
import { findPosts, isVisible, type PostWithSeq, shownPost } from "./post.repository";
import { matches } from "./search.repository";
import { findNestedReplies } from "./thread.repository";
import { findUserUuid } from "./user.repository";

/**
 * A page looks at this many posts of its list. The viewer may see few of them, so a page may have fewer posts than it
 * could, and its cost does not grow with the list.
 */
const CANDIDATES = 200;
/** A list of the user is made from this many of the newest events of its kind. */
const MAX_EVENTS = 20_000;

/** A post of a list, and its place in the order of the list. The viewer may not be allowed to see it. */
interface Candidate {
  id: string;
  at_us: string;
  seq: string;
}

/** Rows with the posts of a list and the time and number that order them, newest first. */
interface Ordered {
  id: string;
  at: Date;
  seq: string;
}

/**
 * A page of a list with the posts that the viewer may see, after the place of the cursor; null for the first page.
 * Throws InvalidFeedCursor and DatabaseUnavailable.
 */
export async function findPostList(
  viewerId: string,
  name: PostListName,
  cursor: string | null,
  limit: number,
): Promise<PostListPage> {
  const after = cursor === null ? null : decodeListCursor(viewerId, name, cursor);
  const candidates = await findCandidates(await findUserUuid(viewerId), name, after);
  const posts: PostWithSeq[] = [];
  let examined = 0;
  // Mostly all posts are visible, so the first part is enough.
  for (let size = limit; posts.length < limit && examined < candidates.length; size *= 2) {
    const part = candidates.slice(examined, examined + size);
    posts.push(
      ...(await findPosts(
        viewerId,
        part.map(({ id }) => id),
      )),
    );
    examined += part.length;
  }
  const shown = posts.slice(0, limit);
  // The next page begins after the last post of this one if it is full, else after all that was examined.
  const last =
    shown.length < limit ? candidates.length - 1 : candidates.findIndex(({ id }) => id === shown[limit - 1]?.id);
  const isEnd = last === candidates.length - 1 && candidates.length < CANDIDATES;
  const nextCursor = isEnd ? null : cursorAfter(viewerId, name, candidates[last]);
  return { posts: await withReplies(viewerId, name, shown), nextCursor, readAt: new Date().toISOString() };
}

async function withReplies(viewerId: string, { list }: PostListName, posts: PostWithSeq[]): Promise<ListedPost[]> {
  const shown = posts.map(shownPost);
  if (list !== "replies" && list !== "top-replies") return shown;
  const nested = await findNestedReplies(
    viewerId,
    shown.map(({ id }) => id),
  );
  return shown.map((post) => ({ ...post, ...(nested.has(post.id) && { replies: nested.get(post.id) }) }));
}

function cursorAfter(viewerId: string, name: PostListName, candidate: Candidate | undefined): string | null {
  if (!candidate) return null;
  return encodeListCursor(viewerId, name, { createdUs: Number(candidate.at_us), seq: Number(candidate.seq) });
}

async function findCandidates(viewer: string, name: PostListName, after: TimePosition | null): Promise<Candidate[]> {
  const select = await selectionOf(viewer, name);
  if (select === null) return [];
  const time = sql<Date>`timestamptz 'epoch' + ${after?.createdUs}::bigint * interval '1 microsecond'`;
  return read((database) =>
    database
      .selectFrom(select(database).as("l"))
      .select(["l.id", sql<string>`(extract(epoch FROM l.at) * 1000000)::bigint`.as("at_us"), "l.seq"])
      .$if(after !== null, (rows) =>
        rows.where(sql<boolean>`l.at <= ${time} AND (l.at, l.seq) < (${time}, ${after?.seq}::bigint)`),
      )
      .orderBy("l.at", "desc")
      .orderBy("l.seq", "desc")
      .limit(CANDIDATES)
      .execute(),
  );
}

type Selection = (database: Database) => SelectQueryBuilder<DB, never, Ordered>;

/** The query for all posts of a list; null if no post can be in it. */
async function selectionOf(viewer: string, { list, of }: PostListName): Promise<Selection | null> {
  switch (list) {
    case "author":
      return postsWith(sql<boolean>`p.author_id = feed_user_id(${of})`);
    case "tag":
      return postsWith(sql<boolean>`p.tags && ${[of, of.toLowerCase()]}::text[]`);
    case "search": {
      const condition = await matches(of);
      return condition && postsWith(condition);
    }
    case "replies":
    case "top-replies":
      return repliesTo(viewer, of, list);
    case "seen":
      return postsOfEvents(viewer, sql<boolean>`true`);
    case "likes":
      return postsOfEvents(viewer, sql<boolean>`i.interaction_type = 'like'`);
  }
}

function postsWith(condition: RawBuilder<boolean>): Selection {
  return (database) =>
    database
      .selectFrom("feed_posts as p")
      .select(["p.id", "p.created_at as at", "p.seq"])
      .where(condition)
      .$castTo<Ordered>();
}

/** The replies to a post; none if the viewer may not see it. The time of top replies is a microsecond for each like. */
async function repliesTo(viewer: string, postId: string, list: "replies" | "top-replies"): Promise<Selection | null> {
  if (!isUuid(postId) || !(await isVisible(viewer, postId))) return null;
  const likes = sql`(SELECT sum(g.likes) FROM feed_engagement_count g WHERE g.post_id = p.id)`;
  const byLikes = sql<Date>`timestamptz 'epoch' + COALESCE(${likes}, 0)::double precision * interval '1 microsecond'`;
  return (database) =>
    database
      .selectFrom("feed_posts as p")
      .innerJoin("feed_post_settings as s", "s.id", "p.id")
      .select(["p.id", (list === "replies" ? sql<Date>`p.created_at` : byLikes).as("at"), "p.seq"])
      .where("s.reply_to", "=", postId)
      .$castTo<Ordered>();
}

/** The posts of the user's events, each once, at the time of its newest event. */
function postsOfEvents(viewer: string, condition: RawBuilder<boolean>): Selection {
  return (database) => {
    const newest = database
      .selectFrom("user_interaction as i")
      .select(["i.post_id", "i.created_at", "i.seq"])
      .where("i.user_id", "=", viewer)
      .where(condition)
      .orderBy("i.created_at", "desc")
      .limit(MAX_EVENTS)
      .as("e");
    return database
      .selectFrom(newest)
      .distinctOn("e.post_id")
      .select(["e.post_id as id", "e.created_at as at", "e.seq"])
      .orderBy("e.post_id")
      .orderBy("e.created_at", "desc")
      .orderBy("e.seq", "desc")
      .$castTo<Ordered>();
  };
}
