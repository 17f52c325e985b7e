/** The lists of posts and people on a real PostgreSQL: their order, their pages and who sees what. */
import assert from "node:assert/strict";
import { NextRequest } from "next/server";
import pg from "pg";
import { afterEach, beforeAll, describe, it } from "vitest";
import { GET } from "@/app/api/posts/route";
import type { PostListName, PostListPage } from "@/lib/feed/post-list";
import { QueryTimeout, read } from "@/lib/platform/database";
import { userUuid } from "@/lib/platform/ids";
import { findFollows, findIdByName, findProfile, searchPeople } from "@/lib/repositories/people.repository";
import { findPostList } from "@/lib/repositories/post-list.repository";
import { matches } from "@/lib/repositories/search.repository";
import { findAncestors } from "@/lib/repositories/thread.repository";
import { useDatabase } from "@/tests/support/database";
import { query } from "@/tests/support/query";
import { sessionCookie } from "@/tests/support/session";
import { loadSmallFeed } from "@/tests/support/small-feed";

const AUTHOR: PostListName = { list: "author", of: "user-20" };
const LIKES: PostListName = { list: "likes", of: "" };
const SEEN: PostListName = { list: "seen", of: "" };
const HOUR_MS = 3_600_000;

describe("a list", () => {
  const database = useDatabase();

  beforeAll(async () => {
    await loadSmallFeed(database.url);
  });
  afterEach(async () => {
    await query("DELETE FROM user_feedback");
    await query("DELETE FROM posts WHERE external_id LIKE 'extra-%'");
    await query("DELETE FROM user_interaction WHERE user_id = $1", [userUuid("user-0")]);
  });

  const control = (user: string, action: string, target: string) =>
    query(
      `INSERT INTO user_feedback (user_id, action, ${action.endsWith("author") ? "author_id" : "post_id"}) VALUES ($1, $2, $3)`,
      [userUuid(user), action, target],
    );
  /** Inserts posts, the first of them the newest. Returns their ids in this order. */
  const addPosts = async (author: string, contents: string[], tag = "extra"): Promise<string[]> => {
    const rows = await query<{ id: string }>(
      `INSERT INTO posts (external_id, author_id, content, tags, created_at)
       SELECT 'extra-' || gen_random_uuid(), $1, content, ARRAY[$2::text], now() - n * interval '1 second'
       FROM unnest($3::text[]) WITH ORDINALITY AS t(content, n) ORDER BY n RETURNING id`,
      [userUuid(author), tag, contents],
    );
    return rows.map(({ id }) => id);
  };
  const addEvent = (type: string, post: string, hoursAgo: number) =>
    query(
      `INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at, occurred_at)
       VALUES ($1, $2, $3, $4, $4)`,
      [userUuid("user-0"), post, type, new Date(Date.now() - hoursAgo * HOUR_MS)],
    );
  const idsOf = ({ posts }: PostListPage) => posts.map(({ id }) => id);
  /** The ids of all pages of a list, and how many pages it has. */
  const readAll = async (viewer: string, name: PostListName, limit = 3) => {
    const ids: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: PostListPage = await findPostList(viewer, name, cursor, limit);
      ids.push(...idsOf(page));
      cursor = page.nextCursor;
      pages += 1;
    } while (cursor !== null);
    return { ids, pages };
  };

  it("has every visible post of an author once, newest first", async () => {
    const stored = await query<{ id: string }>("SELECT id FROM posts WHERE author_id = $1 ORDER BY created_at DESC", [
      userUuid("user-20"),
    ]);
    const ids = stored.map(({ id }) => id);
    await control("user-0", "hide_post", ids[1] ?? "");

    const { ids: read, pages } = await readAll("user-0", AUTHOR);

    assert.deepEqual(
      read,
      ids.filter((_, index) => index !== 1),
    );
    assert.equal(pages, Math.ceil(read.length / 3));
  });

  it("goes on between posts of the same moment", async () => {
    const ids = await addPosts("user-1", ["a", "b", "c", "d", "e"], "same");
    await query("UPDATE posts SET created_at = now() - interval '1 hour' WHERE id = ANY($1::uuid[])", [ids]);

    const { ids: read } = await readAll("user-0", { list: "tag", of: "same" }, 2);

    assert.deepEqual(read, [...ids].reverse());
  });

  it("is empty for an author who is unknown, muted or blocks the viewer", async () => {
    await control("user-0", "mute_author", userUuid("user-20"));
    await control("user-21", "block_author", userUuid("user-0"));

    for (const of of ["user-20", "user-21", "nobody"]) {
      const { posts, nextCursor } = await findPostList("user-0", { list: "author", of }, null, 20);
      assert.deepEqual([posts, nextCursor], [[], null]);
    }
  });

  it("has the posts of a tag in any case, and goes on after many posts that the viewer may not see", async () => {
    await addPosts("user-21", Array<string>(450).fill("hidden"), "tea");
    const [own] = await query<{ id: string }>(
      `INSERT INTO posts (external_id, author_id, content, tags, created_at)
       VALUES ('extra-old', $1, 'old', '{tea}', now() - interval '1 day') RETURNING id`,
      [userUuid("user-1")],
    );
    await control("user-0", "mute_author", userUuid("user-21"));

    for (const of of ["tea", "Tea"]) {
      const { ids, pages } = await readAll("user-0", { list: "tag", of }, 20);
      assert.deepEqual([ids, pages], [[own?.id], 3]);
    }
  });

  it("has the likes of the user, the newest first, without those that were taken back", async () => {
    const [a = "", b = "", c = "", d = ""] = await addPosts("user-1", ["a", "b", "c", "d"]);
    for (const [index, post] of [b, a, c].entries()) await addEvent("like", post, index + 1);
    await addEvent("view", d, 1);
    await addEvent("like", a, 5);
    await query("DELETE FROM user_interaction WHERE user_id = $1 AND post_id = $2", [userUuid("user-0"), c]);

    const { ids } = await readAll("user-0", LIKES, 1);

    assert.deepEqual(ids, [b, a]);
    assert.deepEqual((await readAll("nobody", LIKES)).ids, []);
  });

  it("has each post that the user has seen once, at its newest event, if it is still visible", async () => {
    const [a = "", b = "", c = ""] = await addPosts("user-1", ["a", "b", "c"]);
    await addEvent("view", a, 3);
    await addEvent("view", b, 2);
    await addEvent("view", c, 1.5);
    await addEvent("click", a, 1);
    await control("user-0", "hide_post", c);

    assert.deepEqual((await readAll("user-0", SEEN, 1)).ids, [a, b]);
  });

  describe("of a search", () => {
    const search = async (text: string) => (await readAll("user-0", { list: "search", of: text }, 20)).ids;
    const found = async (contents: string[], text: string) => {
      const ids = await addPosts("user-1", contents);
      const hits = await search(text);
      return ids.flatMap((id, index) => (hits.includes(id) ? [index] : []));
    };

    for (const [what, contents, text, expected] of [
      ["all words in any order and case", ["Quokkas like rain", "rain, quokkas", "quokkas"], "rain QUOKKAS", [0, 1]],
      ["a phrase", ["quokkas like rain", "rain quokkas like"], '"quokkas like rain"', [0]],
      ["a phrase that is not closed", ["quokkas like rain", "rain quokkas like"], '"quokkas like', [0, 1]],
      ["no excluded word", ["quokka one", "quokka two"], "quokka -two", [0]],
      ["one word or the other", ["quokka", "wombat", "numbat"], "quokka or wombat", [0, 1]],
      ["a word with signs", ["see https://example.com/a", "exa"], "example.com", [0]],
      ["words of Japanese by character", ["昨日東京タワーに行った", "京都と東"], "東京タワー", [0]],
      ["words of Chinese in Latin text", ["A 北京 guide", "A 京北 guide"], "北京 guide", [0]],
      ["excluded characters", ["東京の雨", "東京の雪"], "東京 -雪", [0]],
    ] as const) {
      it(`finds ${what}`, async () => {
        assert.deepEqual(await found([...contents], text), expected);
      });
    }

    it("leaves out what the viewer has muted", async () => {
      await addPosts("user-1", ["a quokka with spoilers", "a quokka"]);
      await query("INSERT INTO user_feedback (user_id, action, word) VALUES ($1, 'mute_word', 'spoilers')", [
        userUuid("user-0"),
      ]);

      assert.equal((await search("quokka")).length, 1);
    });

    it("finds nothing, and does not fail, for text that is no search", async () => {
      for (const text of [
        "",
        " ",
        "-",
        "-quokka",
        '"',
        '""',
        "or",
        "or or",
        "& | ! :* <->",
        "\\",
        "'",
        "%",
        "👍",
        "a\u0301",
        "x".repeat(200),
      ]) {
        assert.deepEqual(await search(text), [], text);
      }
    });

    it("uses the index", async () => {
      await query("ANALYZE posts");
      const condition = await matches("quokka");
      assert.ok(condition);
      const plan = await read((database) =>
        database.selectFrom("feed_posts as p").select("p.id").where(condition).explain<{ "QUERY PLAN": string }>(),
      );

      assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), /idx_posts_search/);
    });

    it("that takes longer than the time limit says so", async () => {
      const other = new pg.Client(database.url);
      await other.connect();
      try {
        await other.query("BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE");
        await assert.rejects(search("quokka"), QueryTimeout);
      } finally {
        await other.end();
      }
    });
  });

  describe("of replies", () => {
    /** Inserts replies to a post, the first of them the oldest. Returns their ids in this order. */
    const reply = async (parent: string, authors: string[], visibility = "public"): Promise<string[]> => {
      const rows = await query<{ id: string }>(
        `INSERT INTO posts (external_id, author_id, content, created_at, reply_to, root_id, visibility)
         SELECT 'extra-' || gen_random_uuid(), author, 'a reply', now() - interval '1 hour' + n * interval '1 second',
                $1, $1, $3
         FROM unnest($2::uuid[]) WITH ORDINALITY AS t(author, n) ORDER BY n RETURNING id`,
        [parent, authors.map(userUuid), visibility],
      );
      return rows.map(({ id }) => id);
    };
    const like = (post: string, user: string) =>
      query("INSERT INTO user_interaction (user_id, post_id, interaction_type) VALUES ($1, $2, 'like')", [
        userUuid(user),
        post,
      ]);

    it("has the newest first, or those with the most likes, page by page", async () => {
      const [post = ""] = await addPosts("user-1", ["a post"]);
      const [a = "", b = "", c = ""] = await reply(post, ["user-2", "user-3", "user-4"]);
      await like(a, "user-5");
      for (const user of ["user-5", "user-6"]) await like(b, user);

      assert.deepEqual((await readAll("user-0", { list: "replies", of: post }, 1)).ids, [c, b, a]);
      assert.deepEqual((await readAll("user-0", { list: "top-replies", of: post }, 1)).ids, [b, a, c]);
    });

    it("is empty for a post that the viewer may not see, as for a missing one", async () => {
      const [post = ""] = await addPosts("user-1", ["a post"]);
      await reply(post, ["user-2"]);
      await control("user-0", "hide_post", post);

      for (const of of [post, "00000000-0000-4000-8000-000000000000", "no-uuid"]) {
        const { posts, nextCursor } = await findPostList("user-0", { list: "replies", of }, null, 20);
        assert.deepEqual([posts, nextCursor], [[], null]);
      }
    });

    it("has the first replies to each reply that the viewer may see, and whether there are more", async () => {
      const [post = ""] = await addPosts("user-1", ["a post"]);
      const [first = "", second = ""] = await reply(post, ["user-2", "user-3"]);
      const [muted = "", a = "", b = ""] = await reply(first, ["user-4", "user-5", "user-6"]);
      await control("user-0", "mute_author", userUuid("user-4"));
      const nested = async (viewer: string) => {
        const { posts } = await findPostList(viewer, { list: "replies", of: post }, null, 20);
        const [ofSecond, ofFirst] = posts.map(({ replies }) => replies);
        assert.equal(ofSecond, undefined);
        return [ofFirst?.posts.map(({ id }) => id), ofFirst?.hasMore];
      };

      assert.deepEqual(await nested("user-0"), [[a, b], false]);
      assert.deepEqual(await nested("user-10"), [[muted, a], true]);
      assert.equal(typeof second, "string");
    });

    it("is below the posts that lead to it, with a gap where the viewer may not see one", async () => {
      const [post = ""] = await addPosts("user-1", ["a post"]);
      const chain = [post];
      for (const author of ["user-2", "user-3", "user-3", "user-4"]) {
        chain.push(...(await reply(chain.at(-1) ?? "", [author])));
      }
      await control("user-0", "mute_author", userUuid("user-3"));
      const above = async (viewer: string, id = "") => (await findAncestors(viewer, id)).map((one) => one?.id ?? null);

      assert.deepEqual(await above("user-0", chain[4]), [post, chain[1], null]);
      assert.deepEqual(await above("user-10", chain[4]), chain.slice(0, 4));
      assert.deepEqual(await above("user-0", post), []);
      assert.deepEqual(await above("user-0", "00000000-0000-4000-8000-000000000000"), []);
    });

    it("ends in a gap above twenty posts, also in a circle of replies", async () => {
      const [post = ""] = await addPosts("user-1", ["a post"]);
      const [answer = ""] = await reply(post, ["user-2"]);
      await query("UPDATE posts SET reply_to = $1 WHERE id = $2", [answer, post]);

      const above = await findAncestors("user-0", answer);

      assert.deepEqual([above.length, above[0]], [21, null]);
    });
  });

  describe("of people", () => {
    const follow = (follower: string, followee: string) =>
      query("INSERT INTO follows (follower_id, followee_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
        userUuid(follower),
        userUuid(followee),
      ]);
    const namesIn = (people: { id: string }[]) => people.map(({ id }) => id).sort();

    it("has the followers whom the viewer may find, page by page, and their number", async () => {
      await query("DELETE FROM follows WHERE followee_id = $1", [userUuid("user-29")]);
      for (const follower of ["user-1", "user-2", "user-6", "user-4", "user-5"]) await follow(follower, "user-29");
      await control("user-0", "mute_author", userUuid("user-1"));
      await control("user-2", "block_author", userUuid("user-0"));
      await query("UPDATE users SET discoverable = false WHERE id = $1", [userUuid("user-6")]);
      await query("UPDATE users SET follower_count = NULL WHERE id = $1", [userUuid("user-29")]);

      const first = await findFollows("user-0", "user-29", "followers", null, 1);
      const second = await findFollows("user-0", "user-29", "followers", first.nextCursor, 1);
      const profile = await findProfile("user-0", "user-29");
      await query("UPDATE users SET discoverable = true");

      assert.deepEqual(namesIn([...first.people, ...second.people]), ["user-4", "user-5"]);
      assert.deepEqual([profile?.followerCount, second.nextCursor], [2, null]);
    });

    it("finds people by the beginnings of words of their name or id, without those who block the viewer", async () => {
      await control("user-7", "block_author", userUuid("user-0"));

      assert.deepEqual(namesIn(await searchPeople("user-0", "user-7", 5)), []);
      assert.deepEqual(namesIn(await searchPeople("user-0", "USER-8", 5)), ["user-8"]);
      assert.equal((await searchPeople("user-0", "ada north", 5))[0]?.name, "Ada North");
      assert.equal((await searchPeople("user-0", " NOR, a", 5))[0]?.name, "Ada North");
      assert.deepEqual(await searchPeople("user-0", "orth", 5), []);
      for (const text of ["", " ", "%", "_", "\\", "'"]) assert.deepEqual(await searchPeople("user-0", text, 5), []);
    });

    it("has a profile for those whom the author does not block, with what they have chosen", async () => {
      await control("user-7", "block_author", userUuid("user-0"));
      await control("user-0", "mute_author", userUuid("user-8"));
      await control("user-0", "block_author", userUuid("user-9"));
      const states = async (id: string) => {
        const profile = await findProfile("user-0", id);
        return profile && [profile.muted, profile.blocked, profile.own];
      };

      assert.deepEqual(await states("user-7"), await states("nobody"));
      assert.equal(await states("user-7"), null);
      assert.equal(await findIdByName("user-0", "nobody"), null);
      assert.deepEqual(await states("user-8"), [true, false, false]);
      assert.deepEqual(await states("user-9"), [false, true, false]);
      assert.deepEqual(await states("user-0"), [false, false, true]);
    });
  });

  describe("GET /api/posts", () => {
    const get = async (parameters: Record<string, string>, user: string | null = "user-0") => {
      const url = `http://feed.example/api/posts?${new URLSearchParams(parameters)}`;
      const response = await GET(new NextRequest(url, { headers: { cookie: user ? await sessionCookie(user) : "" } }));
      const body = (await response.json()) as PostListPage & { code?: string };
      return { status: response.status, ...body };
    };

    it("returns the page that follows", async () => {
      const first = await get({ ...AUTHOR, limit: "2" });
      const second = await get({ ...AUTHOR, limit: "2", cursor: first.nextCursor ?? "" });

      assert.deepEqual([...idsOf(first), ...idsOf(second)], (await readAll("user-0", AUTHOR)).ids.slice(0, 4));
    });

    it("rejects cursors of other lists and users, and damaged ones", async () => {
      const { nextCursor } = await get({ ...AUTHOR, limit: "2" });
      assert.ok(nextCursor);
      const [binding = ""] = nextCursor.split(".");
      const damaged = [
        "x",
        `${nextCursor}0.1`,
        `${nextCursor} `,
        nextCursor.slice(0, -1).slice(0, 10),
        `${binding}.0.zzzzzzzzzzzz`,
      ];
      damaged.push(`${binding}.`, `${binding}.-.-`, `${binding}.1e9.1.1`, "\0", "é".repeat(5000));

      for (const cursor of damaged) assert.equal((await get({ ...AUTHOR, cursor })).code, "invalid_cursor", cursor);
      assert.equal((await get({ list: "author", of: "user-21", cursor: nextCursor })).code, "invalid_cursor");
      assert.equal((await get({ ...AUTHOR, cursor: nextCursor }, "user-1")).code, "invalid_cursor");
      const extreme = [`${binding}.2gosa7pa2gv.2gosa7pa2gv`, `${binding}.-2gosa7pa2gv.0`];
      for (const cursor of extreme) assert.equal((await get({ ...AUTHOR, cursor })).status, 200, cursor);
    });

    it("rejects other lists, limits and texts", async () => {
      for (const parameters of [
        {},
        { list: "drafts" },
        { ...AUTHOR, limit: "0" },
        { ...AUTHOR, limit: "x" },
        { list: "tag", of: "a\0b" },
        { list: "tag", of: "x".repeat(201) },
      ] as Record<string, string>[]) {
        assert.deepEqual(
          [(await get(parameters)).status, (await get(parameters)).code],
          [400, "invalid_list"],
          JSON.stringify(parameters),
        );
      }
      assert.equal((await get({ ...AUTHOR }, null)).status, 401);
    });
  });
});
