/** What users write, on a real PostgreSQL: transactions, repetition, deletion, and who may reply, quote and repost. */
import assert from "node:assert/strict";
import { newUuid } from "@feed/client";
import pg from "pg";
import { afterEach, beforeAll, describe, it } from "vitest";
import type { NewPost } from "@/lib/feed/new-post";
import { userUuid } from "@/lib/platform/ids";
import { findExcerpt, findPosts } from "@/lib/repositories/post.repository";
import { findReplies } from "@/lib/repositories/reply.repository";
import { deletePost, isWritingPossible, storePost } from "@/lib/repositories/writing.repository";
import { useDatabase } from "@/tests/support/database";
import { query } from "@/tests/support/query";

const [ANN, BOB, CAROL] = ["ann", "bob", "carol"];

describe("a post that a user writes", () => {
  const database = useDatabase();

  beforeAll(async () => {
    await query("INSERT INTO users (id, external_id, username) SELECT * FROM unnest($1::uuid[], $2::text[], $2)", [
      [ANN, BOB, CAROL].map(userUuid),
      [ANN, BOB, CAROL],
    ]);
  });
  afterEach(async () => {
    await query("DELETE FROM user_feedback");
    await query("DELETE FROM posts");
  });

  const write = async (user: string, fields: Partial<NewPost> = {}): Promise<string> => {
    const id = newUuid();
    await storePost(user, { id, text: fields.repost_of ? "" : "A text", ...fields });
    return id;
  };
  const writeFor = async (user: string, visibility: string, audience: string | null = null): Promise<string> => {
    const id = await write(user);
    await query("UPDATE posts SET visibility = $2, audience_id = $3 WHERE id = $1", [id, visibility, audience]);
    return id;
  };
  const stored = (id: string) =>
    query<Record<string, unknown>>(
      "SELECT content, tags, visibility, audience_id, reply_to, root_id, repost_of, quote_of FROM posts WHERE id = $1",
      [id],
    );
  const eventsOf = (id: string) =>
    query("SELECT user_id, post_id, interaction_type, metadata, request_id FROM user_interaction WHERE event_id = $1", [
      id,
    ]);
  const follow = (user: string, author: string) =>
    query("INSERT INTO follows (follower_id, followee_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      userUuid(user),
      userUuid(author),
    ]);
  const rejected = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

  it("is stored with its tags, also that of a new visitor, and in the outbox", async () => {
    const visitor = newUuid();

    const id = await write(visitor, { text: "Tea and #Maps, #maps again: #x-y, a#b and &#123; http://a/#c" });

    const [post] = await stored(id);
    assert.deepEqual(post?.["tags"], ["maps", "x"]);
    assert.deepEqual([post?.["visibility"], post?.["reply_to"]], ["public", null]);
    const changes = await query("SELECT op FROM feed_change WHERE entity = 'post' AND key = $1", [id]);
    assert.deepEqual(changes, [{ op: "upsert" }]);
    assert.equal((await findPosts(ANN, [id]))[0]?.author?.id, visitor);
  });

  it("is stored once when it is repeated, one after the other and at the same time", async () => {
    const parent = await write(ANN);
    const reply = { id: newUuid(), text: "Once", reply_to: parent };

    await Promise.all(Array.from({ length: 5 }, () => storePost(BOB, reply)));
    await storePost(BOB, reply);

    assert.equal((await stored(reply.id)).length, 1);
    assert.equal((await eventsOf(reply.id)).length, 1);
    assert.equal((await findPosts(ANN, [parent]))[0]?.commentCount, 1);
    await assert.rejects(storePost(CAROL, reply), rejected("other_author"));
  });

  it("is a reply together with a comment on its parent, in one transaction", async () => {
    const parent = await write(ANN);
    const first = await write(BOB, { reply_to: parent, text: "First", request_id: "r1" });
    const second = await write(CAROL, { reply_to: first, text: "Second" });

    assert.deepEqual(await eventsOf(first), [
      {
        user_id: userUuid(BOB),
        post_id: parent,
        interaction_type: "comment",
        metadata: { text: "First" },
        request_id: "r1",
      },
    ]);
    const [post] = await stored(second);
    assert.deepEqual([post?.["reply_to"], post?.["root_id"]], [first, parent]);
    const [{ xids } = { xids: "" }] = await query<{ xids: string }>(
      `SELECT count(DISTINCT xid) AS xids FROM (SELECT xid FROM user_interaction WHERE event_id = $1
       UNION ALL SELECT xid FROM feed_change WHERE key = $1) AS both_rows`,
      [first],
    );
    assert.equal(xids, "1");
    assert.deepEqual(
      (await findReplies(BOB, parent, 50))?.map(({ text, own, isPost }) => [text, own, isPost]),
      [["First", true, true]],
    );
  });

  it("is deleted with its event, and only by its author", async () => {
    const parent = await write(ANN);
    const [reply, repost] = [await write(BOB, { reply_to: parent }), await write(BOB, { repost_of: parent })];
    await write(CAROL, { reply_to: parent, text: "It stays" });
    await assert.rejects(deletePost(ANN, reply), rejected("other_author"));

    for (const id of [reply, reply, repost, newUuid()]) await deletePost(BOB, id);

    const [post] = await findPosts(CAROL, [parent]);
    assert.deepEqual([post?.commentCount, post?.shareCount], [1, 0]);
    assert.deepEqual(await eventsOf(reply), []);
    assert.deepEqual(
      (await findReplies(CAROL, parent, 50))?.map(({ text }) => text),
      ["It stays"],
    );
    const removed = await query("SELECT FROM feed_change WHERE entity = 'event' AND other = $1", [parent]);
    assert.equal(removed.length, 2);
  });

  it("is a quote or a repost together with a share of the original", async () => {
    const original = await write(ANN);
    const quote = await write(BOB, { quote_of: original, text: "Look" });
    const repost = await write(CAROL, { repost_of: original });
    const again = [await write(CAROL, { repost_of: original }), await write(CAROL, { repost_of: repost })];

    assert.equal((await stored(quote))[0]?.["quote_of"], original);
    assert.equal((await stored(repost))[0]?.["repost_of"], original);
    for (const id of again) assert.deepEqual(await stored(id), []);
    assert.equal((await findPosts(ANN, [original]))[0]?.shareCount, 2);
  });

  it("is stored once as a repost by two transactions at the same time", async () => {
    const original = await write(ANN);
    const other = new pg.Client(database.url);
    await other.connect();
    // Both transactions run until they would insert the post.
    await other.query("BEGIN; LOCK TABLE posts IN SHARE MODE");
    const writes = Promise.all([write(BOB, { repost_of: original }), write(BOB, { repost_of: original })]);
    const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while ((await query(waiting)).length !== 2);
    await other.query("COMMIT");
    await other.end();
    await writes;

    const reposts = await query("SELECT FROM posts WHERE repost_of = $1", [original]);
    assert.equal(reposts.length, 1);
    assert.equal((await findPosts(ANN, [original]))[0]?.shareCount, 1);
  });

  it("is shown with the beginning of the post that it quotes or reposts, to those who may see that post", async () => {
    const original = await write(ANN, { text: "é".repeat(281) });
    const [quote, repost] = [
      await write(BOB, { quote_of: original, text: "Look" }),
      await write(BOB, { repost_of: original }),
    ];
    const originalOf = async (viewer: string) =>
      (await findPosts(viewer, [quote, repost])).map((post) => [post.original?.kind, post.original?.post?.text]);
    const text = `${"é".repeat(280)}…`;

    assert.deepEqual(await originalOf(CAROL), [
      ["quote", text],
      ["repost", text],
    ]);
    await query("INSERT INTO user_feedback (user_id, action, author_id) VALUES ($1, 'block_author', $2)", [
      userUuid(ANN),
      userUuid(CAROL),
    ]);
    const unavailable = (await findPosts(CAROL, [quote, repost])).map(({ original: { post } = {} }) => post);
    assert.deepEqual(unavailable, [null, null]);
    assert.deepEqual([await findExcerpt(CAROL, original), (await findExcerpt(BOB, original))?.text], [null, text]);
    await deletePost(ANN, original);
    assert.deepEqual(await originalOf(BOB), [
      ["quote", undefined],
      ["repost", undefined],
    ]);
  });

  it("is counted with the viewer's own replies, and knows the viewer's own repost", async () => {
    const original = await write(ANN);
    await query("INSERT INTO user_interaction (user_id, post_id, interaction_type) VALUES ($1, $2, 'share')", [
      userUuid(BOB),
      original,
    ]);
    await write(CAROL, { reply_to: original });
    const ownOf = async (viewer: string) => {
      const [post] = await findPosts(viewer, [original]);
      return [post?.ownComments, post?.ownRepostId];
    };
    assert.deepEqual(await ownOf(BOB), [undefined, undefined]);

    const repost = await write(BOB, { repost_of: original });
    await write(BOB, { reply_to: original });

    assert.deepEqual(await ownOf(BOB), [1, repost]);
    assert.deepEqual(await ownOf(ANN), [undefined, undefined]);
  });

  it("names no post that its author may not see, and none of a user who blocks them", async () => {
    const [followers, members, open] = [
      await writeFor(ANN, "followers"),
      await writeFor(ANN, "members", "club"),
      await write(ANN),
    ];
    await query("INSERT INTO user_feedback (user_id, action, author_id) VALUES ($1, 'block_author', $2)", [
      userUuid(ANN),
      userUuid(CAROL),
    ]);

    for (const field of ["reply_to", "quote_of", "repost_of"] as const) {
      for (const id of [followers, members, newUuid()]) {
        await assert.rejects(write(BOB, { [field]: id }), rejected("unknown_post"));
      }
      await assert.rejects(write(CAROL, { [field]: open }), rejected("unknown_post"));
    }
    const [{ count } = { count: "" }] = await query<{ count: string }>("SELECT count(*) FROM user_interaction");
    assert.equal(count, "0");
  });

  it("has the audience of the other post, and is only a comment on a post for followers", async () => {
    const [followers, members] = [await writeFor(ANN, "followers"), await writeFor(ANN, "members", "club")];
    await query("INSERT INTO memberships (user_id, audience_id) VALUES ($1, 'club') ON CONFLICT DO NOTHING", [
      userUuid(BOB),
    ]);
    await follow(BOB, ANN);
    await follow(CAROL, ANN);

    const amongMembers = await write(BOB, { repost_of: members });
    const [comment, own] = [await write(BOB, { reply_to: followers }), await write(ANN, { reply_to: followers })];

    for (const field of ["quote_of", "repost_of"] as const) {
      await assert.rejects(write(BOB, { [field]: followers }), rejected("followers_only"));
    }
    const [repost] = await stored(amongMembers);
    assert.deepEqual([repost?.["visibility"], repost?.["audience_id"]], ["members", "club"]);
    assert.equal((await stored(own))[0]?.["visibility"], "followers");
    assert.deepEqual(await stored(comment), []);
    assert.deepEqual(
      (await findReplies(CAROL, followers, 50))?.map(({ id, isPost }) => [id, isPost]),
      [
        [comment, false],
        [own, true],
      ],
    );
    assert.equal(await findReplies("an unknown user", followers, 50), null);
    await deletePost(BOB, comment);
    assert.equal((await findReplies(CAROL, followers, 50))?.length, 1);
    await query("DELETE FROM follows");
  });

  it("is rejected where another application stores the posts", async () => {
    assert.equal(await isWritingPossible(), true);
    await query("COMMENT ON TABLE posts IS 'of a team'");

    const [possible, result] = await Promise.all([
      isWritingPossible(),
      write(ANN).then(
        () => "stored",
        (error: { code: string }) => error.code,
      ),
    ]);
    await query("COMMENT ON TABLE posts IS 'made by the feed recommendation service'");

    assert.deepEqual([possible, result], [false, "managed_elsewhere"]);
  });
});
