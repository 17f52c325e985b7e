import assert from "node:assert/strict";
import type { FeedMode, FeedPage, RecommendationRequest } from "@feed/client";
import { FakeFeedService } from "@feed/client/testing";
import { afterAll, beforeAll, beforeEach, describe, it } from "vitest";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import type { PostWithUser } from "@/lib/feed/post";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { InMemoryPosts } from "@/tests/support/in-memory-posts";

/** No healthy service needs so long, however busy the machine is. */
const LONG_MS = 20_000;
const SHORT_MS = 300;

describe("the feed repository", () => {
  const service = new FakeFeedService();
  let posts: InMemoryPosts;
  let feed: FeedRepository;

  beforeAll(() => service.start());
  afterAll(() => service.stop());
  beforeEach(async () => {
    await service.start().catch(() => undefined); // the previous test may have stopped it
    posts = new InMemoryPosts(40);
    service.catalogue = posts.ids;
    service.behaviour = { kind: "healthy" };
    service.timeOrderedAfter = Infinity;
    service.nextBehaviours.length = 0;
    service.requests.length = 0;
    service.events.clear();
    feed = new FeedRepository(new MLServiceClient(service.url, LONG_MS), posts);
  });

  const fetchPage = (cursor: string | null = null, mode: FeedMode = "ranked", userId = "ann") =>
    feed.fetchFeedPage({ userId, mode, cursor, limit: 10 });
  const fetchAllPages = async () => {
    const pages = [await fetchPage()];
    while (pages.at(-1)?.nextCursor) pages.push(await fetchPage(pages.at(-1)?.nextCursor));
    return pages;
  };
  const idsOf = (...pages: Pick<FeedPage<PostWithUser>, "posts">[]) =>
    pages.flatMap((page) => page.posts.map(({ id }) => id));
  const markSeen = (postId: string) => {
    posts.seenIds.add(postId);
    service.events.set(postId, { user_id: "ann", post_id: postId, interaction_type: "view" });
  };

  describe("returns pages that", () => {
    it("follow the order of the service, with the evidence of each post", async () => {
      const page = await fetchPage();

      assert.equal(page.source, "ml_recommendations");
      assert.deepEqual(idsOf(page), posts.ids.slice(0, 10));
      assert.deepEqual(page.posts[0]?.why, { kind: "trending", count: 12 });
      assert.equal((service.requests[0]?.body as RecommendationRequest | undefined)?.context?.explain, undefined);
      assert.deepEqual([page.degraded, page.exhausted, page.modelVersion], [false, false, "v1"]);
    });

    it("have at most 350 bytes a post except for texts and names", async () => {
      for (const [index, post] of posts.posts.entries()) {
        Object.assign(post, {
          tags: ["cooking", "travel"],
          author: { id: posts.ids[index], name: "Roland Barth", followed: index % 2 === 0 },
          likeCount: 120,
          commentCount: 37,
          shareCount: 12,
        });
      }
      const page = await feed.fetchFeedPage({ userId: "ann", mode: "ranked", cursor: null, limit: 20 });

      const texts = page.posts.map(({ content, author }) => (content ?? "") + (author?.name ?? ""));
      const bytes = Buffer.byteLength(JSON.stringify(page)) - Buffer.byteLength(texts.join(""));
      assert.equal(page.posts.length, 20);
      assert.ok(bytes <= 350 * 20, `${bytes / 20} bytes a post`);
    });

    it("reach the end of the catalogue without a repeated post", async () => {
      const pages = await fetchAllPages();

      assert.deepEqual(idsOf(...pages).sort(), [...posts.ids].sort());
      assert.equal(pages.at(-1)?.exhausted, true);
    });

    for (const [name, timeOrderedAfter, stopsAfter] of [
      ["the service", 40, Infinity],
      ["the service, and the fallback in the middle", 40, 60],
      ["the fallback", Infinity, 2],
    ] as const) {
      it(`repeat nothing at any depth, with a cursor of at most 4 KiB, if they come from ${name}`, async () => {
        posts = new InMemoryPosts(800, 1000);
        service.catalogue = posts.ids;
        service.timeOrderedAfter = timeOrderedAfter;
        feed = new FeedRepository(new MLServiceClient(service.url, LONG_MS), posts);

        const pages = [await fetchPage()];
        while (pages.at(-1)?.nextCursor) {
          if (pages.length === stopsAfter) await service.stop();
          pages.push(await fetchPage(pages.at(-1)?.nextCursor));
        }

        const ids = idsOf(...pages);
        assert.equal(new Set(ids).size, ids.length);
        assert.equal(ids.length, 800);
        const longest = Math.max(...pages.map((page) => page.nextCursor?.length ?? 0));
        assert.ok(longest <= 4096, `${longest} characters`);
      });
    }

    it("come from the fallback after the service has stopped, without posts already shown", async () => {
      const first = await fetchPage();
      await service.stop();

      const second = await fetchPage(first.nextCursor);

      assert.deepEqual([second.source, second.degraded, second.posts.length], ["random_fallback", true, 10]);
      assert.equal(new Set(idsOf(first, second)).size, 20);
    });

    it("come from the service again after it has restarted, without posts of the fallback", async () => {
      const first = await fetchPage();
      await service.stop();
      const second = await fetchPage(first.nextCursor);
      await service.start();

      const third = await fetchPage(second.nextCursor);
      const fourth = await fetchPage(third.nextCursor);

      assert.deepEqual([third.source, fourth.source], ["ml_recommendations", "ml_recommendations"]);
      assert.equal(new Set(idsOf(first, second, third, fourth)).size, 40);
    });

    for (const behaviour of [
      { kind: "status", status: 503 },
      { kind: "broken json" },
      { kind: "wrong shape" },
      { kind: "slow", delayMs: LONG_MS },
      { kind: "stalled" },
    ] as const) {
      it(`come from the fallback in time if the service is: ${Object.values(behaviour).join(" ")}`, async () => {
        service.behaviour = behaviour;
        feed = new FeedRepository(new MLServiceClient(service.url, SHORT_MS), posts);
        const startedAt = performance.now();

        const page = await fetchPage();

        assert.equal(page.source, "random_fallback");
        assert.ok(performance.now() - startedAt < LONG_MS);
      });
    }

    it("start a new list without posts already shown if the service rejects its cursor", async () => {
      const first = await fetchPage();
      service.nextBehaviours.push({ kind: "status", status: 410, code: "expired_cursor" });

      const second = await fetchPage(first.nextCursor);

      assert.equal(second.source, "ml_recommendations");
      assert.equal(new Set(idsOf(first, second)).size, 20);
    });

    it("hold the next posts if all recommended posts were deleted", async () => {
      for (const id of posts.ids.slice(0, 10)) posts.deletedIds.add(id);

      const page = await fetchPage();

      assert.deepEqual(idsOf(page), posts.ids.slice(10, 20));
    });

    it("are exhausted for a user who has seen every post", async () => {
      posts.ids.forEach(markSeen);

      const page = await fetchPage();

      assert.deepEqual([page.posts.length, page.exhausted, page.nextCursor], [0, true, null]);
    });

    it("continue with seen posts after the rewind cursor, and repeat none of the scroll", async () => {
      posts.ids.slice(25).forEach(markSeen);
      const pages = await fetchAllPages();
      assert.equal(idsOf(...pages).length, 25);

      const rewound = await fetchPage(pages.at(-1)?.rewindCursor ?? assert.fail("the last page has no rewindCursor"));

      assert.deepEqual(idsOf(rewound), posts.ids.slice(25, 35));
    });

    it("continue with the newest posts if the roll-out reaches the user during the scroll", async () => {
      const first = await fetchPage(null, "newest");

      const second = await fetchPage(first.nextCursor, "ranked");

      assert.equal(second.mode, "newest");
      assert.equal(new Set(idsOf(first, second)).size, 20);
    });
  });

  describe("returns a first page that", () => {
    const fetchFirst = (waitMs: number) =>
      feed.fetchFirstPage({ userId: "ann", mode: "ranked", cursor: null, limit: 10 }, waitMs);

    it("is the page of the service if it arrives in time", async () => {
      const { page, rankedPage } = await fetchFirst(LONG_MS);

      assert.deepEqual([page.source, rankedPage], ["ml_recommendations", null]);
      assert.deepEqual(page.posts, (await fetchPage()).posts);
    });

    it("is a fallback if the service is late, whose page follows", async () => {
      service.behaviour = { kind: "slow", delayMs: SHORT_MS };

      const { page, rankedPage } = await fetchFirst(1);

      assert.deepEqual([page.source, page.posts.length], ["random_fallback", 10]);
      const ranked = await rankedPage;
      assert.deepEqual([ranked?.source, ranked && idsOf(ranked)], ["ml_recommendations", posts.ids.slice(0, 10)]);
      const next = await fetchPage(ranked?.nextCursor ?? null);
      assert.deepEqual(idsOf(next), posts.ids.slice(10, 20));
    });

    it("is a fallback without a page that follows if the service has failed", async () => {
      await service.stop();

      const { page, rankedPage } = await fetchFirst(LONG_MS);

      assert.deepEqual([page.source, rankedPage], ["random_fallback", null]);
    });

    it("is followed by nothing if the service fails later", async () => {
      service.behaviour = { kind: "slow", delayMs: LONG_MS };
      feed = new FeedRepository(new MLServiceClient(service.url, SHORT_MS), posts);

      const { page, rankedPage } = await fetchFirst(1);

      assert.deepEqual([page.source, await rankedPage], ["random_fallback", null]);
    });
  });

  describe("rejects the cursor", () => {
    it("of another user", async () => {
      const { nextCursor } = await fetchPage();

      await assert.rejects(fetchPage(nextCursor, "ranked", "bob"), InvalidFeedCursor);
    });

    it("of another mode", async () => {
      const { nextCursor } = await fetchPage();

      await assert.rejects(fetchPage(nextCursor, "following"), InvalidFeedCursor);
    });
  });

  describe("returns a personalized feed that", () => {
    it("has the posts of the first ranked page", async () => {
      const personalized = await feed.fetchPersonalizedFeed("ann", 10);

      assert.equal(personalized.source, "ml_recommendations");
      assert.deepEqual(personalized.posts, (await fetchPage()).posts);
    });

    it("has up to 50 posts by default", async () => {
      await feed.fetchPersonalizedFeed("ann");

      assert.equal((service.requests[0]?.body as { limit: number } | undefined)?.limit, 50);
    });

    it("has random posts while the service is stopped", async () => {
      await service.stop();

      const { posts: found, source } = await feed.fetchPersonalizedFeed("ann", 10);

      assert.deepEqual([found.length, source], [10, "random_fallback"]);
    });

    it("has random posts, seen ones included, if there is no recommendation", async () => {
      posts.ids.forEach(markSeen);

      const { posts: found, source } = await feed.fetchPersonalizedFeed("ann", 10);

      assert.deepEqual([found.length, source], [10, "random_fallback"]);
    });
  });
});
