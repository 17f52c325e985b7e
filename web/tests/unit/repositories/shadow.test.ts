/** The shadow mode: users get the application's own order, and the service's order is logged beside it. */
import assert from "node:assert/strict";
import type { FeedMode } from "@feed/client";
import { FakeFeedService } from "@feed/client/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "vitest";
import { config } from "@/lib/platform/config";
import { metrics } from "@/lib/platform/metrics";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { CapturedLog } from "@/tests/support/captured-log";
import { InMemoryPosts } from "@/tests/support/in-memory-posts";

/** No healthy service needs so long, however busy the machine is. */
const LONG_MS = 20_000;
const SHORT_MS = 300;

describe("the shadow mode", () => {
  const service = new FakeFeedService();
  const posts = new InMemoryPosts(40);
  let log: CapturedLog;
  let feed: FeedRepository;

  beforeAll(() => service.start());
  afterAll(() => service.stop());
  beforeEach(() => {
    service.catalogue = posts.ids;
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
    feed = new FeedRepository(new MLServiceClient(service.url, LONG_MS), posts);
    log = new CapturedLog();
  });
  afterEach(() => log.restore());

  const fetchPage = (cursor: string | null = null, mode: FeedMode = "ranked") =>
    feed.fetchShadowedPage({ userId: "ann", mode, cursor, limit: 20 });
  const newestFirst = posts.ids.toReversed();

  it("shows the application's own order, without a trace of the service", async () => {
    const logged = log.next("feed.shadow");

    const page = await fetchPage();

    await logged;

    assert.deepEqual(
      page.posts.map(({ id }) => id),
      newestFirst.slice(0, 20),
    );
    assert.deepEqual([page.source, page.degraded, page.requestId, page.modelVersion], ["own_order", false, null, null]);
    assert.ok(page.posts.every(({ why }) => why === null));
  });

  it("logs both orders, and how much their first ten posts overlap", async () => {
    service.catalogue = [...newestFirst.slice(4, 9), ...posts.ids];
    const logged = log.next("feed.shadow");

    const page = await fetchPage();

    const line = await logged;
    assert.deepEqual(line["shown"], newestFirst.slice(0, 20));
    assert.deepEqual(line["recommended"], service.catalogue.slice(0, 20));
    assert.equal(line["overlap_10"], 0.5);
    assert.equal(line["source"], "cold_start");
    assert.equal(typeof line["request_id"], "string");
    assert.equal(typeof line["duration_ms"], "number");
    assert.equal(page.posts.length, 20);
    assert.match(await metrics.render(0), /web_shadow_pages_total\{source="cold_start"\} \d/);
  });

  it("asks for a page that does not count as shown", async () => {
    const logged = log.next("feed.shadow");

    await fetchPage();

    await logged;
    assert.deepEqual(
      service.requests.map(({ path, body }) => [path, body]),
      [["/recommendations/generate", { user_id: "ann", limit: 20, context: { mode: "ranked", record: false } }]],
    );
  });

  for (const behaviour of [
    { kind: "status", status: 503 },
    { kind: "status", status: 400, code: "invalid_cursor" },
    { kind: "broken json" },
    { kind: "stalled" },
  ] as const) {
    it(`shows the page, and logs no order, if the service is: ${Object.values(behaviour).join(" ")}`, async () => {
      service.behaviour = behaviour;
      feed = new FeedRepository(new MLServiceClient(service.url, SHORT_MS), posts);
      let isLogged = false;
      const logged = log.next("feed.shadow").then((line) => {
        isLogged = true;
        return line;
      });

      const page = await fetchPage();

      assert.equal(page.posts.length, 20);
      assert.equal(isLogged, false, "the page waited for the service");
      const { recommended, overlap_10, source } = await logged;
      assert.deepEqual([recommended, overlap_10, source], [[], null, "unavailable"]);
    });
  }

  it("compares no later pages and no other lists, which repeat nothing either", async () => {
    const logged = log.next("feed.shadow");
    const first = await fetchPage();
    await logged;

    const second = await fetchPage(first.nextCursor);
    await fetchPage(null, "newest");

    assert.equal(new Set([...first.posts, ...second.posts].map(({ id }) => id)).size, 40);
    assert.equal(service.requests.length, 1);
  });

  it("is off by default, and switched by FEED_SHADOW", () => {
    try {
      assert.equal(config.feedShadow, false);
      process.env["FEED_SHADOW"] = "true";
      assert.equal(config.feedShadow, true);
      process.env["FEED_SHADOW"] = "1";
      assert.throws(() => config.feedShadow, /FEED_SHADOW: "1" is invalid; set true or false/);
    } finally {
      delete process.env["FEED_SHADOW"];
    }
  });
});
