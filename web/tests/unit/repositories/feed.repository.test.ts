import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { FeedMode, FeedPage } from "@feed/client";
import { FakeFeedService } from "@feed/client/testing";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import type { PostWithUser } from "@/lib/feed/post";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { PostShelf } from "@/tests/support/post-shelf";

describe("a scroll through the feed", () => {
  const service = new FakeFeedService();
  let shelf: PostShelf;
  let feed: FeedRepository;

  before(() => service.start());
  after(() => service.stop());
  beforeEach(async () => {
    await service.start().catch(() => undefined); // the test before may have stopped it
    shelf = new PostShelf(40);
    service.catalogue = shelf.ids;
    service.behaviour = { kind: "well" };
    service.next.length = 0;
    service.requests.length = 0;
    service.events.clear();
    feed = new FeedRepository(new MLServiceClient(service.url, 300), shelf);
  });

  const page = (cursor: string | null = null, mode: FeedMode = "ranked", userId = "ann") =>
    feed.fetchPersonalizedFeed({ userId, mode, cursor, limit: 10 });
  const idsOf = (pages: FeedPage<PostWithUser>[]) => pages.flatMap(({ posts }) => posts.map(({ id }) => id));
  const met = (postId: string) =>
    service.events.set(postId, { user_id: "ann", post_id: postId, interaction_type: "view" });

  it("shows the service's list in its order, and says why each post is there", async () => {
    const first = await page();

    assert.equal(first.source, "ml_recommendations");
    assert.deepEqual(idsOf([first]), shelf.ids.slice(0, 10));
    assert.deepEqual(first.posts[0]?.why, { reason: "trending", score: 1, evidence: {} });
    assert.deepEqual([first.degraded, first.exhausted, first.modelVersion], [false, false, "v1"]);
  });

  it("reaches the end of the catalogue without showing a post twice", async () => {
    const pages = [await page()];
    while (pages.at(-1)?.nextCursor) pages.push(await page(pages.at(-1)?.nextCursor));

    assert.deepEqual(idsOf(pages).sort(), [...shelf.ids].sort());
    assert.equal(pages.at(-1)?.exhausted, true);
  });

  it("falls back when the service goes away, leaving out what was shown", async () => {
    const first = await page();
    await service.stop();

    const second = await page(first.nextCursor);

    assert.deepEqual([second.source, second.degraded, second.posts.length], ["random_fallback", true, 10]);
    assert.equal(new Set(idsOf([first, second])).size, 20);
  });

  it("returns to the service's list when it is back, without what the fallback showed", async () => {
    const first = await page();
    await service.stop();
    const second = await page(first.nextCursor);
    await service.start();

    const third = await page(second.nextCursor);
    const fourth = await page(third.nextCursor);

    assert.deepEqual([third.source, fourth.source], ["ml_recommendations", "ml_recommendations"]);
    assert.equal(new Set(idsOf([first, second, third, fourth])).size, 40);
  });

  for (const behaviour of [
    { kind: "status", status: 503 },
    { kind: "broken json" },
    { kind: "wrong shape" },
    { kind: "slow", ms: 2000 },
    { kind: "stalled" },
  ] as const) {
    it(`falls back within the budget when the service answers with ${Object.values(behaviour).join(" ")}`, async () => {
      service.behaviour = behaviour;
      const started = performance.now();

      const first = await page();

      assert.equal(first.source, "random_fallback");
      assert.ok(performance.now() - started < 900);
    });
  }

  it("begins a new list without what was shown when the service refuses its cursor", async () => {
    const first = await page();
    service.next.push({ kind: "status", status: 410, code: "expired_cursor" });

    const second = await page(first.nextCursor);

    assert.equal(second.source, "ml_recommendations");
    assert.equal(new Set(idsOf([first, second])).size, 20);
  });

  it("asks for more when all posts of a page are gone", async () => {
    for (const id of shelf.ids.slice(0, 10)) shelf.gone.add(id);

    const first = await page();

    assert.deepEqual(idsOf([first]), shelf.ids.slice(10, 20));
  });

  it("is exhausted at once for a user who has met everything", async () => {
    for (const id of shelf.ids) met(id);

    const first = await page();

    assert.deepEqual([first.posts.length, first.exhausted, first.nextCursor], [0, true, null]);
  });

  it("goes on with posts met before, when asked to, and repeats none of this scroll", async () => {
    for (const id of shelf.ids.slice(25)) met(id);
    const pages = [await page()];
    while (pages.at(-1)?.nextCursor) pages.push(await page(pages.at(-1)?.nextCursor));
    const ended = pages.at(-1);
    assert.equal(idsOf(pages).length, 25);

    const again = await page(ended?.rewindCursor ?? assert.fail("there is no way on"));

    assert.deepEqual(idsOf([again]), shelf.ids.slice(25, 35));
  });

  it("refuses another user's cursor", async () => {
    const { nextCursor } = await page();

    await assert.rejects(page(nextCursor, "ranked", "bob"), InvalidFeedCursor);
  });

  it("refuses another mode's cursor", async () => {
    const { nextCursor } = await page();

    await assert.rejects(page(nextCursor, "following"), InvalidFeedCursor);
  });

  it("lets a list of newest posts go on when its user comes into the ranked share", async () => {
    const first = await page(null, "newest");

    const second = await page(first.nextCursor, "ranked");

    assert.equal(second.mode, "newest");
    assert.equal(new Set(idsOf([first, second])).size, 20);
  });
});
