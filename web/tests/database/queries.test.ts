/** The queries of the application on a real PostgreSQL: what viewers may see, and views of another application. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { newUuid } from "@feed/client";
import { afterEach, beforeAll, describe, it } from "vitest";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { userUuid } from "@/lib/platform/ids";
import { findLinkPreview } from "@/lib/repositories/link-preview.repository";
import { findEligiblePosts, findPostIds, findPosts, findTrendingPosts } from "@/lib/repositories/post.repository";
import { findReplies } from "@/lib/repositories/reply.repository";
import { findUserName, findUsers, registerVisitor } from "@/lib/repositories/user.repository";
import { useDatabase } from "@/tests/support/database";
import { CHECKOUT } from "@/tests/support/postgres";
import { query } from "@/tests/support/query";
import { loadSmallFeed } from "@/tests/support/small-feed";

const NEWEST = { mode: "newest", limit: 500, excludeSeqs: new Set<number>(), includeSeen: true } as const;

describe("the queries", () => {
  const database = useDatabase();

  beforeAll(async () => {
    await loadSmallFeed(database.url);
  });
  afterEach(() => query("DELETE FROM user_feedback"));

  const control = (user: string, action: string, target: string, until: string | null = null) =>
    query(
      `INSERT INTO user_feedback (user_id, action, ${action.endsWith("author") ? "author_id" : "post_id"}, until)
       VALUES ($1, $2, $3, $4)`,
      [userUuid(user), action, target, until],
    );
  const postOf = async (author: string): Promise<string> => {
    const rows = await query<{ id: string }>("SELECT id FROM posts WHERE author_id = $1 LIMIT 1", [userUuid(author)]);
    return rows[0]?.id ?? "";
  };
  const comment = (user: string, post: string, text: string) =>
    query(
      `INSERT INTO user_interaction (user_id, post_id, interaction_type, metadata)
       VALUES ($1, $2, 'comment', jsonb_build_object('text', $3::text))`,
      [userUuid(user), post, text],
    );

  it("have the types of the migrated tables and views", async () => {
    const arguments_ = ["run", "--silent", "--workspace", "@feed/web", "generate", "--", "--verify"];
    const env = { ...process.env, DATABASE_URL: database.url };

    await assert.doesNotReject(
      promisify(execFile)("npm", arguments_, { cwd: path.resolve(CHECKOUT), env }),
      "run `npm run --workspace @feed/web generate` with DATABASE_URL",
    );
  });

  it("show the pictures of a post in order, which are files of this site and go with the post", async () => {
    const [post, other] = [await postOf("user-21"), await postOf("user-22")];
    const insert = (url: string, position: number) =>
      query("INSERT INTO post_media VALUES ($1, $2, $3, 800, 450, 'A boat')", [post, position, url]);
    await insert("/pictures/b.svg", 1);
    await insert("/pictures/a.svg", 0);

    const [withPictures, without] = await findPosts("user-1", [post, other]);
    assert.deepEqual(
      withPictures?.media,
      ["a", "b"].map((name) => ({ url: `/pictures/${name}.svg`, width: 800, height: 450, alt: "A boat" })),
    );
    assert.equal(without && "media" in without, false);
    for (const url of [
      "https://a.example/b.png",
      "//a.example/b.png",
      "/\\a.example/b.png",
      "data:image/png,",
      "b.png",
    ]) {
      await assert.rejects(insert(url, 2), { code: "23514" }, url);
    }

    await query("DELETE FROM posts WHERE id = $1", [post]);
    assert.deepEqual(await query("SELECT FROM post_media WHERE post_id = $1", [post]), []);
  });

  it("show what everybody may see of a post in the preview of a link, and nothing of others", async () => {
    const post = await postOf("user-23");
    const change = (assignment: string) => query(`UPDATE posts SET ${assignment} WHERE id = $1`, [post]);
    await change(`content = ${`'One\n\ntwo  ' || repeat('🙂', 200)`}`);

    const preview = await findLinkPreview(post);
    assert.equal(preview?.description, `One two ${"🙂".repeat(151)}…`);
    assert.match(preview.author, /\w/);
    await change("content = 'Short'");
    assert.equal((await findLinkPreview(post))?.description, "Short");
    await change("content = NULL");
    assert.equal((await findLinkPreview(post))?.description, null);

    for (const hidden of [
      "visibility = 'followers'",
      "visibility = 'members', audience_id = 'club'",
      "visible = false",
      "sensitive = true",
    ]) {
      await change(hidden);
      assert.equal(await findLinkPreview(post), null, hidden);
      await change("visibility = 'public', audience_id = NULL, visible = true, sensitive = false");
      assert.ok(await findLinkPreview(post));
    }
    assert.equal(await findLinkPreview(newUuid()), null);
  });

  it("show no comment of a muted or blocked author, and none of an author who blocks the viewer", async () => {
    const post = await postOf("user-20");
    for (const user of ["user-1", "user-2", "user-3", "user-4", "user-5"]) await comment(user, post, `by ${user}`);
    await control("user-9", "mute_author", userUuid("user-1"));
    await control("user-9", "block_author", userUuid("user-2"));
    await control("user-3", "block_author", userUuid("user-9"));
    await control("user-4", "mute_author", userUuid("user-9"));
    await control("user-9", "mute_author", userUuid("user-5"), "2020-01-01T00:00:00Z");

    const texts = async (viewer: string) => (await findReplies(viewer, post, 50))?.map(({ text }) => text);

    assert.deepEqual(await texts("user-9"), ["by user-4", "by user-5"]);
    assert.equal((await texts("user-8"))?.length, 5);
  });

  it("count each user once as one who likes or shares, and no comment of a muted author", async () => {
    const post = await postOf("user-23");
    const add = (user: string, type: string, times: number) =>
      query(
        `INSERT INTO user_interaction (user_id, post_id, interaction_type) SELECT $1, $2, $3 FROM generate_series(1, $4)`,
        [userUuid(user), post, type, times],
      );
    await add("user-1", "share", 200);
    for (const user of ["user-1", "user-2"]) await add(user, "like", 2);
    for (const user of ["user-1", "user-2"]) await add(user, "comment", 3);
    await control("user-9", "mute_author", userUuid("user-1"));

    const counts = async (viewer: string) => {
      const [found] = await findPosts(viewer, [post]);
      return found && [found.likeCount, found.commentCount, found.shareCount, found.liked, found.shared];
    };

    assert.deepEqual(await counts("user-1"), [2, 6, 1, true, true]);
    assert.deepEqual(await counts("user-9"), [2, 3, 1, false, false]);
    await query("DELETE FROM user_interaction WHERE post_id = $1 AND interaction_type <> 'like'", [post]);
    assert.deepEqual(await counts("user-2"), [2, 0, 0, true, false]);
  });

  it("show the comments of visible posts only", async () => {
    const [hidden, muted] = [await postOf("user-21"), await postOf("user-22")];
    await control("user-9", "hide_post", hidden);
    await control("user-9", "mute_author", userUuid("user-22"));

    const missing = "00000000-0000-4000-8000-000000000000";
    for (const post of [hidden, muted, missing]) assert.equal(await findReplies("user-9", post, 50), null);
    assert.deepEqual(await findReplies("user-8", hidden, 50), []);
  });

  it("list the users of the demo without those who block the viewer", async () => {
    await control("user-3", "block_author", userUuid("user-9"));

    const ids = async (viewer: string) => new Set((await findUsers(viewer, "", 50)).map(({ id }) => id));

    assert.equal((await ids("user-9")).has("user-3"), false);
    assert.equal((await ids("user-8")).has("user-3"), true);
    assert.deepEqual(Object.keys((await findUsers("user-8", "user-3", 1))[0] ?? {}).sort(), [
      "followerCount",
      "id",
      "name",
    ]);
  });

  it("return whether the viewer follows the author of a post", async () => {
    const followees = await query<{ id: string }>("SELECT followee_id AS id FROM follows WHERE follower_id = $1", [
      userUuid("user-9"),
    ]);
    const followed = new Set(followees.map(({ id }) => id));

    const posts = await findEligiblePosts("user-9", NEWEST);

    assert.ok(followed.size > 0);
    for (const { author } of posts) assert.equal(author?.followed, followed.has(userUuid(author?.id ?? "")));
    const following = await findEligiblePosts("user-9", { ...NEWEST, mode: "following" });
    assert.equal(following.length, posts.filter(({ author }) => author?.followed).length);
  });

  it("continue the newest posts after a position, also within one millisecond", async () => {
    await query("UPDATE posts SET created_at = created_at + seq % 7 * interval '1 microsecond'");
    for (const mode of ["newest", "following"] as const) {
      const all = await findEligiblePosts("user-9", { ...NEWEST, mode });
      const after = all[4];
      assert.ok(after);

      const rest = await findEligiblePosts("user-9", { ...NEWEST, mode, after });

      assert.deepEqual(
        rest.slice(0, all.length - 5).map(({ id }) => id),
        all.slice(5).map(({ id }) => id),
      );
    }
  });

  it("find the row of a user that another program inserted, by any spelling of the id", async () => {
    const [ann] = await query<{ id: string }>(
      `INSERT INTO users (external_id, username) VALUES ('ann', 'Ann') RETURNING id`,
    );
    const [post] = await query<{ id: string }>(
      `INSERT INTO posts (external_id, author_id) VALUES ('hers', $1) RETURNING id`,
      [ann?.id],
    );
    const newest = async (viewer: string) => (await findEligiblePosts(viewer, NEWEST)).map(({ id }) => id);

    await registerVisitor(" ann");
    const names = [await findUserName("ann"), await findUserName(" ann ")];
    const shown = [await newest("ann"), await newest("user-9")].map((ids) => ids.includes(post?.id ?? ""));
    const [users] = await query<{ count: string }>(`SELECT count(*) FROM users WHERE external_id LIKE '%ann'`);
    await query(`DELETE FROM users WHERE id = $1`, [ann?.id]);

    assert.deepEqual([names, shown, users?.count], [["Ann", "Ann"], [false, true], "1"]);
  });

  it("find the database unavailable with a wrong password, as if it were away", async () => {
    const url = new URL(database.url);
    url.password = "wrong";
    process.env["DATABASE_URL"] = url.href;
    try {
      await assert.rejects(findUserName("user-9"), DatabaseUnavailable);
    } finally {
      process.env["DATABASE_URL"] = database.url;
    }
  });

  it("read users, posts and follows of another application through the views", async () => {
    const [before, names] = [await findEligiblePosts("user-9", NEWEST), await findUsers("user-9", "", 50)];
    await query(`ALTER TABLE users RENAME TO members`);
    await query(`ALTER TABLE posts RENAME TO articles`);
    await query(`ALTER TABLE follows RENAME TO subscriptions`);
    await query(`CREATE TABLE users (id integer, external_id integer)`);
    await query(`DROP VIEW feed_user_names, feed_post_counts`);
    await query(
      `CREATE VIEW feed_user_names AS SELECT NULL::uuid AS id, NULL::text AS username, NULL::bigint AS follower_count WHERE false`,
    );
    await query(
      `CREATE VIEW feed_post_counts AS SELECT NULL::uuid AS id, NULL::bigint AS like_count, NULL::bigint AS comment_count WHERE false`,
    );

    const posts = await findEligiblePosts("user-9", NEWEST);

    assert.deepEqual(
      posts.map(({ id }) => id),
      before.map(({ id }) => id),
    );
    assert.equal(posts[0]?.author?.name, posts[0]?.author?.id);
    const some = posts.slice(0, 3);
    assert.equal(
      (
        await findPosts(
          "user-9",
          some.map(({ id }) => id),
        )
      ).length,
      3,
    );
    assert.equal((await findPostIds(new Set(some.map(({ seq }) => seq)), 10)).length, 3);
    assert.ok((await findTrendingPosts("user-9", 5)).length > 0);
    assert.equal((await findUsers("user-9", "", 50)).length, names.length);
    assert.equal(await findUserName("user-9"), "user-9");
    await registerVisitor("a visitor");
    assert.equal(await findUserName("a visitor"), null);

    await query(`CREATE OR REPLACE VIEW feed_users AS SELECT id, external_id, created_at, username FROM members`);
    assert.equal(await findUserName("user-9"), names.find(({ id }) => id === "user-9")?.name);
  });
});
