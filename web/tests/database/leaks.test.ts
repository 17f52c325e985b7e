/**
 * No route of the application names a post, a comment or a user that the viewer may not see, on a random feed in a real
 * PostgreSQL. `LEAK_TEST_POSTS` is the number of posts.
 */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { beforeAll, describe, it } from "vitest";
import { GET as getFeed } from "@/app/api/feeds/route";
import { GET as getReplies } from "@/app/api/posts/[id]/replies/route";
import { GET as getPosts } from "@/app/api/posts/route";
import { GET as getUsers } from "@/app/api/users/route";
import { findSimilarPosts } from "@/app/post/[id]/more-like-this";
import { findLinkPreview } from "@/lib/repositories/link-preview.repository";
import { findFollows, findIdByName, findProfile, searchPeople } from "@/lib/repositories/people.repository";
import { findPosts } from "@/lib/repositories/post.repository";
import { findAncestors } from "@/lib/repositories/thread.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { useDatabase } from "@/tests/support/database";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { PrivateFeed } from "@/tests/support/private-feed";
import { sessionCookie } from "@/tests/support/session";

const POSTS = Number(process.env["LEAK_TEST_POSTS"] || 40);
const IS_SHORT = POSTS <= 500;
const PAGE_SIZE = IS_SHORT ? 10 : 50;
const MAX_PAGES = IS_SHORT ? 20 : 4;
const MAX_COMMENT_LISTS = IS_SHORT ? 200 : 10_000;
/** The replies of 10,000 posts take some minutes. */
const LONG_FORM_MS = 1_200_000;
const IDS_PER_QUERY = 200;
/** Each has 14 lists and some threads. The long form takes a minute for them. */
const MAX_READERS_OF_LISTS = IS_SHORT ? 6 : 14;
const MAX_THREADS = IS_SHORT ? 5 : 12;
const MAX_PROFILES = IS_SHORT ? 5 : 38;
const MODES = ["ranked", "newest", "following"] as const;

interface Page {
  posts: { id: string; commentCount: number }[];
  nextCursor: string | null;
}

describe("the routes", { timeout: IS_SHORT ? undefined : LONG_FORM_MS }, () => {
  const feed = new PrivateFeed(POSTS, IS_SHORT ? 5 : 30);
  const isInABlock = (author: string) =>
    feed.users.some((user) => feed.blocks(author, user) || feed.blocks(user, author));
  // No control concerns an author without blocks: such an author sees what nobody sees, and their own posts.
  const viewers = [...feed.readers, "nobody", ...(IS_SHORT ? feed.authors.filter(isInABlock) : feed.authors)];
  const service = new FakeFeedService();
  const database = useDatabase();

  useFeedService(service);
  beforeAll(async () => {
    await feed.store(database.url);
  });

  const request = async (viewer: string, path: string) =>
    new NextRequest(`http://feed.example${path}`, { headers: { cookie: await sessionCookie(viewer) } });
  const visibleTo = new Map<string, Set<string>>();
  const visibleIds = (viewer: string) => {
    const known = visibleTo.get(viewer);
    const ids = known ?? new Set(feed.posts.filter((post) => feed.isVisible(viewer, post)).map(({ id }) => id));
    visibleTo.set(viewer, ids);
    return ids;
  };
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
  const allIds = new Set(feed.posts.map(({ id }) => id));
  /** No post is named that the viewer may not see, by its text or by its id alone. */
  const assertNoLeak = (viewer: string, text: string) => {
    const visible = visibleIds(viewer);
    const named = [...text.matchAll(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g)].map(([id]) => id);
    assert.deepEqual(
      named.filter((id) => allIds.has(id) && !visible.has(id)),
      [],
    );
  };
  /** The ids of a list of `GET /api/posts`, page by page. None of the responses has a leak. */
  const readPosts = async (viewer: string, list: string, of = ""): Promise<string[]> => {
    const ids: string[] = [];
    let cursor: string | null = "";
    for (let pages = 0; cursor !== null && pages < MAX_PAGES; pages += 1) {
      const query = new URLSearchParams({ list, of, cursor, limit: String(PAGE_SIZE) });
      const response = await getPosts(await request(viewer, `/api/posts?${query}`));
      if (response.status === 503 && !IS_SHORT) break;
      assert.equal(response.status, 200);
      const body = await response.text();
      assertNoLeak(viewer, body);
      const page = JSON.parse(body) as Page;
      ids.push(...page.posts.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    return ids;
  };
  /** Every n-th of these items, so that there are at most `count`. */
  const some = <Item>(items: readonly Item[], count: number) =>
    items.filter((_, index) => index % Math.max(1, Math.ceil(items.length / count)) === 0);

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
      assertNoLeak(viewer, response.body);
      const { replies } = JSON.parse(response.body) as { replies: { text: string; isPost: boolean }[] };
      const texts = replies.filter(({ isPost }) => !isPost).map(({ text }) => text);
      assert.equal(texts.length, countComments(viewer, post.id));
      assert.ok(texts.every((text) => feed.isHeard(viewer, text.slice("by ".length))));
    }
  });

  it("show lists of posts to those who may see each of them, quoted posts and replies included", async () => {
    for (const viewer of some(viewers, MAX_READERS_OF_LISTS)) {
      const lists: [list: string, of: string, isIn: (post: (typeof feed.posts)[number]) => boolean][] = [
        ...feed.authors.map((of) => ["author", of, ({ author }) => author === of] as (typeof lists)[number]),
        ...["garden", "maps", "tea"].map((of) => ["tag", of, ({ tag }) => tag === of] as (typeof lists)[number]),
        ["search", "text", () => true],
        ["seen", "", (post) => feed.hasSeen(viewer, post)],
        ["likes", "", (post) => feed.hasLiked(viewer, post)],
      ];
      for (const [list, of, isIn] of lists) {
        const shown = await readPosts(viewer, list, of);

        if (!IS_SHORT) continue; // the list was not read to its end
        const expected = feed.posts.filter((post) => isIn(post) && feed.isVisible(viewer, post)).map(({ id }) => id);
        assert.deepEqual(shown.sort(), expected.sort(), `${viewer}, ${list} ${of}`);
      }
    }
  });

  it("show the thread of a post to those who may see it, and of it what they may see", async () => {
    const parents = feed.posts.filter(({ id }) => feed.posts.some(({ replyTo }) => replyTo === id));
    const replies = feed.posts.filter(({ replyTo }) => replyTo !== null);
    for (const viewer of some(viewers, MAX_READERS_OF_LISTS)) {
      for (const parent of some(parents, MAX_THREADS)) {
        const shown = await readPosts(viewer, "replies", parent.id);

        const expected = replies.filter((post) => post.replyTo === parent.id && feed.isVisible(viewer, post));
        const ids = feed.isVisible(viewer, parent) ? expected.map(({ id }) => id) : [];
        assert.deepEqual(shown.sort(), ids.sort(), `${viewer}, ${parent.id}`);
      }
      for (const { id } of some(replies, MAX_THREADS)) {
        assertNoLeak(viewer, JSON.stringify(await findAncestors(viewer, id)));
      }
    }
  });

  it("show similar posts to those who may see them, as if the service had not read a change yet", async () => {
    service.behaviour = { kind: "healthy" };
    service.catalogue = some(
      feed.posts.map(({ id }) => id),
      IDS_PER_QUERY,
    );
    for (const viewer of viewers) {
      const posts = await findSimilarPosts(viewer, feed.posts[0]?.id ?? "", new MLServiceClient());

      assertNoLeak(viewer, JSON.stringify(posts));
      const visible = visibleIds(viewer);
      const expected = service.catalogue.filter((id) => id !== feed.posts[0]?.id && visible.has(id));
      assert.deepEqual(posts.map(({ id }) => id).sort(), expected.sort());
    }
  });

  it("preview a link to a post only if everybody may see it", async () => {
    for (const post of some(feed.posts, IDS_PER_QUERY)) {
      const preview = await findLinkPreview(post.id);

      assert.equal(preview?.description ?? null, feed.isVisible("nobody", post) ? `text-of:${post.id}` : null);
    }
  });

  it("show a user to all whom they do not block, and name people to those who may find them", async () => {
    const idsOf = (people: { id: string }[]) => people.map(({ id }) => id).sort();
    for (const viewer of viewers) {
      const named = feed.users.filter((user) => feed.isNamed(viewer, user)).sort();
      for (const search of ["author", "reader"]) {
        const found = await searchPeople(viewer, search, 100);
        assert.deepEqual(
          idsOf(found),
          named.filter((user) => user.startsWith(search)),
        );
      }
      for (const user of some(feed.users, MAX_PROFILES)) {
        const profile = await findProfile(viewer, user);

        assert.equal(profile === null, feed.blocks(user, viewer), `${viewer}, ${user}`);
        assert.equal(await findIdByName(viewer, user), profile && user);
        if (profile === null) continue;
        const followers = named.filter((other) => feed.follows(other, user));
        const following = named.filter((other) => feed.follows(user, other));
        assert.deepEqual([profile.followerCount, profile.followingCount], [followers.length, following.length]);
        assert.deepEqual(idsOf((await findFollows(viewer, user, "followers", null, 100)).people), followers);
        assert.deepEqual(idsOf((await findFollows(viewer, user, "following", null, 100)).people), following);
      }
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
