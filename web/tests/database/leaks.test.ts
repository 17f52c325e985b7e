/**
 * No route of the application names a post, a comment or a user that the viewer may not see, on a random feed in a real
 * PostgreSQL. `LEAK_TEST_POSTS` is the number of posts.
 */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { afterAll, beforeAll, describe, it } from "vitest";
import { GET as getFeed } from "@/app/api/feeds/route";
import { GET as getReplies } from "@/app/api/posts/[id]/replies/route";
import { GET as getUsers } from "@/app/api/users/route";
import { closeDatabase } from "@/lib/platform/database";
import { findPosts } from "@/lib/repositories/post.repository";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { Postgres } from "@/tests/support/postgres";
import { PrivateFeed } from "@/tests/support/private-feed";
import { sessionCookie } from "@/tests/support/session";

const POSTS = Number(process.env["LEAK_TEST_POSTS"] || 40);
const IS_SHORT = POSTS <= 500;
const PAGE_SIZE = IS_SHORT ? 10 : 50;
const MAX_PAGES = IS_SHORT ? 20 : 4;
const MAX_COMMENT_LISTS = 10_000;
/** The replies of 10,000 posts take some minutes. */
const LONG_FORM_MS = 1_200_000;
const IDS_PER_QUERY = 200;
const MODES = ["ranked", "newest", "following"] as const;

interface Page {
  posts: { id: string; commentCount: number }[];
  nextCursor: string | null;
}

describe("the routes", { timeout: IS_SHORT ? undefined : LONG_FORM_MS }, () => {
  const feed = new PrivateFeed(POSTS, IS_SHORT ? 5 : 30);
  const viewers = [...feed.users, "nobody"];
  const service = new FakeFeedService();
  let postgres: Postgres;

  useFeedService(service);
  beforeAll(async () => {
    postgres = await Postgres.start();
    process.env["DATABASE_URL"] = postgres.url;
    await feed.store(postgres.url);
  });
  afterAll(async () => {
    await closeDatabase();
    delete process.env["DATABASE_URL"];
    await postgres?.end();
  });

  const request = async (viewer: string, path: string) =>
    new NextRequest(`http://feed.example${path}`, { headers: { cookie: await sessionCookie(viewer) } });
  const visibleIds = (viewer: string) =>
    new Set(feed.posts.filter((post) => feed.isVisible(viewer, post)).map(({ id }) => id));
  const countComments = (viewer: string, id: string) =>
    (feed.commenters.get(id) ?? []).filter((user) => feed.isHeard(viewer, user)).length;

  /** The posts of a list, page by page, and all that the responses contain. */
  const readList = async (viewer: string, mode: string): Promise<{ posts: Page["posts"]; text: string }> => {
    const posts: Page["posts"] = [];
    let text = "";
    let cursor: string | null = "";
    for (let pages = 0; cursor !== null && pages < MAX_PAGES; pages += 1) {
      const query = new URLSearchParams({ cursor, mode, limit: String(PAGE_SIZE) });
      const response = await getFeed(await request(viewer, `/api/feeds?${query}`));
      if (response.status === 503 && !IS_SHORT) break; // the database of a busy machine has missed its time limit
      assert.equal(response.status, 200);
      const body = await response.text();
      const page = JSON.parse(body) as Page;
      posts.push(...page.posts);
      text += body;
      cursor = page.nextCursor;
    }
    return { posts, text };
  };
  const assertNoLeak = (viewer: string, text: string) => {
    const visible = visibleIds(viewer);
    const named = [...text.matchAll(/text-of:([0-9a-f-]{36})/g)].map((match) => match[1] ?? "");
    assert.deepEqual(
      named.filter((id) => !visible.has(id)),
      [],
    );
  };

  it("show the posts of the fallback to those who may see them", async () => {
    service.behaviour = { kind: "status", status: 401 }; // not repeated, so the fallback is fast
    for (const viewer of viewers) {
      for (const mode of MODES) {
        const { posts, text } = await readList(viewer, mode);

        assertNoLeak(viewer, text);
        if (!IS_SHORT) continue; // the list was not read to its end
        const eligible = feed.posts.filter((post) => feed.isEligible(viewer, post, mode)).map(({ id }) => id);
        const shown = posts.map(({ id }) => id).sort();
        assert.deepEqual(shown, eligible.sort(), `${viewer}, ${mode}`);
      }
    }
  });

  it("leave out recommended posts that the viewer may not see, as if the service had not read a change yet", async () => {
    service.behaviour = { kind: "healthy" };
    service.catalogue = feed.posts.map(({ id }) => id);
    for (const viewer of viewers) assertNoLeak(viewer, (await readList(viewer, "ranked")).text);
  });

  it("show the page of a post to those who may see it, with the number of comments that they see", async () => {
    const ids = feed.posts.map(({ id }) => id);
    for (const viewer of viewers) {
      const visible = visibleIds(viewer);
      for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
        const part = ids.slice(start, start + IDS_PER_QUERY);

        const found = await findPosts(viewer, part);

        assert.deepEqual(
          found.map(({ id, commentCount }) => [id, commentCount]),
          part.filter((id) => visible.has(id)).map((id) => [id, countComments(viewer, id)]),
          viewer,
        );
      }
    }
  });

  it("respond to the replies of a hidden post as to those of a missing one", async () => {
    const pairs = viewers.flatMap((viewer) => feed.posts.map((post) => ({ viewer, post })));
    const step = Math.max(1, Math.ceil(pairs.length / MAX_COMMENT_LISTS));
    const read = async (viewer: string, id: string) => {
      const path = `/api/posts/${id}/replies`;
      const response = await getReplies(await request(viewer, path), { params: Promise.resolve({ id }) });
      return { status: response.status, body: await response.text() };
    };
    const missing = await read("nobody", "00000000-0000-4000-8000-000000000000");
    assert.equal(missing.status, 404);

    for (const { viewer, post } of pairs.filter((_, index) => index % step === 0)) {
      const response = await read(viewer, post.id);

      if (!feed.isVisible(viewer, post)) {
        assert.deepEqual(response, missing, `${viewer}, ${post.id}`);
        continue;
      }
      const { replies } = JSON.parse(response.body) as { replies: { text: string }[] };
      const texts = replies.map(({ text }) => text);
      assert.equal(texts.length, countComments(viewer, post.id));
      assert.ok(texts.every((text) => feed.isHeard(viewer, text.slice("by ".length))));
    }
  });

  it("list no user who blocks the viewer, and no post", async () => {
    for (const viewer of viewers) {
      for (const search of ["", "author", "reader"]) {
        const text = await (await getUsers(await request(viewer, `/api/users?search=${search}`))).text();

        const { users } = JSON.parse(text) as { users: { id: string }[] };
        assert.deepEqual(
          users.filter(({ id }) => feed.blocks(id, viewer)),
          [],
        );
        assert.doesNotMatch(text, /text-of:/);
      }
    }
  });
});
