import { sql } from "kysely";
import { type NewPost, tagsOf } from "@/lib/feed/new-post";
import { type Database, read } from "@/lib/platform/database";
import { visibleTo } from "./post.repository";
import { findUserUuid, OWNER_MARK, registerVisitor } from "./user.repository";

/** A post that cannot be stored or deleted. A repetition has the same result. */
export class PostRejected extends Error {
  override readonly name = "PostRejected";

  constructor(
    readonly status: 403 | 404 | 409,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The other post that a new one replies to, quotes or reposts. */
interface OtherPost {
  id: string;
  author_id: string | null;
  visibility: string;
  audience_id: string | null;
  sensitive: boolean;
  root_id: string | null;
  repost_of: string | null;
}

/** Who may see a new post. */
type Audience = Pick<OtherPost, "visibility" | "audience_id" | "sensitive">;

const EVERYBODY: Audience = { visibility: "public", audience_id: null, sensitive: false };

/**
 * Stores a post of the user and, in the same transaction, its event on the other post: `comment` for a reply, `share`
 * for a repost or a quote. The event has the id of the post as `event_id`, and a trigger of the service removes it with
 * the post. Does nothing if the user's post with this id is stored already, or if it is a second repost of a post.
 * Throws PostRejected.
 */
export async function storePost(userId: string, post: NewPost): Promise<void> {
  await registerVisitor(userId);
  const author = await findUserUuid(userId);
  await read((database) =>
    database.transaction().execute(async (transaction) => {
      await rejectUnlessWritable(transaction, author);
      if (await isStored(transaction, author, post.id)) return;
      const otherId = post.reply_to ?? post.quote_of ?? post.repost_of;
      const other = otherId == null ? null : await findOther(transaction, author, otherId, post.repost_of != null);
      if (!other) {
        await insertPost(transaction, author, post, EVERYBODY, null);
        return;
      }
      if (post.repost_of != null) {
        await lockRepostsOf(transaction, author, other.id);
        if (await hasReposted(transaction, author, other.id)) return;
      }
      const audience = audienceOf(post, other, author);
      if (audience) await insertPost(transaction, author, post, audience, other);
      await insertEvent(transaction, author, post, other);
    }),
  );
}

/**
 * Deletes a post of the user, or a comment that is no post. Does nothing if it does not exist. Throws PostRejected for
 * a post of another user.
 */
export async function deletePost(userId: string, postId: string): Promise<void> {
  const author = await findUserUuid(userId);
  await read((database) =>
    database.transaction().execute(async (transaction) => {
      await rejectUnlessWritable(transaction, author);
      if (await isStored(transaction, author, postId)) {
        await transaction.deleteFrom("posts").where("id", "=", postId).where("author_id", "=", author).execute();
      }
      await transaction
        .deleteFrom("user_interaction")
        .where("user_id", "=", author)
        .where("interaction_type", "in", ["comment", "share"])
        .where(({ eb, or }) => or([eb("event_id", "=", postId), eb("id", "=", postId)]))
        .execute();
    }),
  );
}

/** Whether users of this application may write: false if `posts` or `users` belongs to another application. */
export async function isWritingPossible(): Promise<boolean> {
  return read(ownsPosts);
}

async function ownsPosts(database: Database): Promise<boolean> {
  const ours = sql<boolean>`COALESCE(
    obj_description(to_regclass('posts'), 'pg_class') = ${OWNER_MARK}
    AND obj_description(to_regclass('users'), 'pg_class') = ${OWNER_MARK}, false)`.as("ours");
  return (await database.selectNoFrom(ours).executeTakeFirst())?.ours === true;
}

async function rejectUnlessWritable(database: Database, author: string): Promise<void> {
  if (!(await ownsPosts(database))) {
    throw new PostRejected(409, "managed_elsewhere", "posts: another application stores them; write there");
  }
  const user = await database.selectFrom("users").select("id").where("id", "=", author).executeTakeFirst();
  if (!user) throw new PostRejected(409, "unknown_user", "user: has no row in users; load a page of this site first");
}

/** Whether the author's post or comment with this id is stored. Throws PostRejected if another user has it. */
async function isStored(database: Database, author: string, id: string): Promise<boolean> {
  const stored = await database
    .selectFrom("posts")
    .select("author_id")
    .where("id", "=", id)
    .unionAll(database.selectFrom("user_interaction").select("user_id as author_id").where("event_id", "=", id))
    .execute();
  if (stored.some(({ author_id }) => author_id !== author)) {
    throw new PostRejected(409, "other_author", "id: a post of another user has it");
  }
  return stored.length > 0;
}

/** Waits until no other transaction is storing a repost of the post by this author. The lock ends with the transaction. */
async function lockRepostsOf(database: Database, author: string, id: string): Promise<void> {
  const lock = sql`pg_advisory_xact_lock(hashtextextended(${`repost ${author} ${id}`}, 0))`.as("lock");
  await database.selectNoFrom(lock).execute();
}

async function hasReposted(database: Database, author: string, id: string): Promise<boolean> {
  const repost = await database
    .selectFrom("posts")
    .select("id")
    .where("author_id", "=", author)
    .where("repost_of", "=", id)
    .executeTakeFirst();
  return repost !== undefined;
}

/** The other post if the author may see it; for a repost of a repost, the original. */
async function findOther(database: Database, author: string, id: string, isRepost: boolean): Promise<OtherPost> {
  const found = await database
    .selectFrom("feed_posts as p")
    .innerJoin("feed_post_settings as s", "s.id", "p.id")
    .select(["p.id", "p.author_id", "s.visibility", "s.audience_id", "s.sensitive", "s.root_id", "s.repost_of"])
    .where("p.id", "=", id)
    .where(visibleTo(author))
    .$castTo<OtherPost>()
    .executeTakeFirst();
  if (!found)
    throw new PostRejected(404, "unknown_post", "the other post does not exist, or is not visible to the user");
  return isRepost && found.repost_of !== null ? findOther(database, author, found.repost_of, false) : found;
}

/**
 * The audience of a post about another one: that of the other post, so that nobody learns of a private post. Null for a
 * reply to a post for the followers of another author: no visibility means "those who may see that post", so the reply
 * is a comment on it and no post. Throws PostRejected for a quote and a repost of such a post.
 */
function audienceOf(post: NewPost, other: OtherPost, author: string): Audience | null {
  if (other.visibility !== "followers" || other.author_id === author) return other;
  if (post.reply_to != null) return null;
  throw new PostRejected(403, "followers_only", "only its author can quote or repost a post for followers");
}

async function insertPost(
  database: Database,
  author: string,
  post: NewPost,
  audience: Audience,
  other: OtherPost | null,
): Promise<void> {
  const isReply = post.reply_to != null;
  await database
    .insertInto("posts")
    .values({
      id: post.id,
      external_id: post.id,
      author_id: author,
      content: post.text,
      tags: tagsOf(post.text),
      visibility: audience.visibility,
      audience_id: audience.audience_id,
      sensitive: audience.sensitive,
      reply_to: isReply && other ? other.id : null,
      root_id: isReply && other ? (other.root_id ?? other.id) : null,
      repost_of: post.repost_of != null && other ? other.id : null,
      quote_of: post.quote_of != null && other ? other.id : null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Stores the event. That of a reply has its text, which readers of comments and the previous version show. */
async function insertEvent(database: Database, author: string, post: NewPost, other: OtherPost): Promise<void> {
  await database
    .insertInto("user_interaction")
    .values({
      user_id: author,
      post_id: other.id,
      interaction_type: post.reply_to == null ? "share" : "comment",
      event_id: post.id,
      request_id: post.request_id ?? null,
      metadata: JSON.stringify(post.reply_to == null ? {} : { text: post.text }),
    })
    .onConflict((conflict) => conflict.column("event_id").doNothing())
    .execute();
}
