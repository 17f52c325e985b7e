/** The whole stack in a real browser: PostgreSQL, the service with a trained model, the web application. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { FeedServiceClient, FeedServiceError, newUuid } from "@feed/client";
import pg from "pg";
import type { Browser, BrowserContext } from "playwright-core";
import { userUuid } from "@/lib/platform/ids";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { FeedService } from "@/tests/support/feed-service";
import { Postgres } from "@/tests/support/postgres";
import { WebServer } from "@/tests/support/web-server";

const skip = findChromium() === null ? "no Chromium on this machine" : false;
const KEY = "web-tests";

describe("the running stack", { skip }, () => {
  let postgres: Postgres;
  let service: FeedService;
  let web: WebServer;
  let browser: Browser;
  let context: BrowserContext;

  before(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser()]);
    service = await FeedService.start(postgres.url, { API_KEYS: KEY });
    web = await WebServer.start({
      DATABASE_URL: postgres.url,
      ML_SERVICE_URL: service.url,
      ML_SERVICE_API_KEY: KEY,
      MODELS_DIR: service.modelsDir,
    });
  });
  after(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service?.end()]);
    await postgres?.end();
  });
  afterEach(() => context?.close());

  const arrive = async (user?: string): Promise<FeedPage> => {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    if (user) await context.addCookies([{ name: "feed_user", value: user, url: web.url }]);
    return FeedPage.open(context, web.url);
  };
  const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  const eventually = async (holds: () => Promise<boolean>, what: string, ms = 15_000): Promise<void> => {
    const deadline = Date.now() + ms;
    while (!(await holds())) {
      if (Date.now() > deadline) assert.fail(`${what} did not come to hold within ${ms} ms`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const repeats = (ids: string[]) => ids.length - new Set(ids).size;
  const storedEvents = (user: string, type: string) =>
    query<{ post_id: string; event_id: string }>(
      "SELECT post_id, event_id FROM user_interaction WHERE user_id = $1 AND interaction_type = $2 AND event_id IS NOT NULL AND request_id IS NOT NULL",
      [userUuid(user), type],
    );

  it("gives a new visitor his first feed, and lets his first like through", async () => {
    const feed = await arrive();
    await feed.waitForPosts(20);
    assert.equal(await feed.source(), "ml_recommendations");
    const visitor = (await context.cookies()).find(({ name }) => name === "feed_user")?.value ?? "";

    await feed.page.locator("article .like").first().click();

    await eventually(async () => (await storedEvents(visitor, "like")).length === 1, "his like");
    assert.deepEqual(feed.complaints, []);
  });

  it("scrolls through ten pages without repeating a post", async () => {
    const feed = await arrive("user_2");
    await feed.waitForPosts();

    await feed.scroll(9);
    await feed.waitForPosts(200);

    assert.equal(repeats(await feed.ids()), 0);
    assert.deepEqual([...new Set(feed.apiPages.map(({ source }) => source))], ["ml_recommendations"]);
  });

  it("makes another list after a like", async () => {
    const feed = await arrive("user_3");
    await feed.waitForPosts(20);
    const before = await feed.ids();
    const liked = before[4] ?? "";

    await feed.posts.nth(4).locator(".like").click();
    await eventually(async () => (await storedEvents("user_3", "like")).length === 1, "the like");
    await feed.reload();
    await feed.waitForPosts(20);

    const after_ = await feed.ids();
    assert.equal(after_.includes(liked), false);
    assert.notDeepEqual(
      after_.filter((id) => before.includes(id)),
      before.filter((id) => after_.includes(id)),
    );
  });

  it("does not offer a viewed post again after a reload, and keeps its dwell time", async () => {
    const feed = await arrive("user_4");
    await feed.waitForPosts();
    const [viewed = ""] = await feed.ids();
    await feed.page.waitForTimeout(1300); // a view counts after a second

    await feed.reload();
    await feed.waitForPosts();

    assert.equal((await feed.ids()).includes(viewed), false);
    const [view] = await query<{ dwell: string }>(
      "SELECT metadata->>'dwell_time_ms' AS dwell FROM user_interaction WHERE user_id = $1 AND post_id = $2 AND interaction_type = 'view'",
      [userUuid("user_4"), viewed],
    );
    assert.ok(Number(view?.dwell) >= 1000);
  });

  it("says by keyboard what put a post there", async () => {
    const feed = await arrive("user_5");
    await feed.waitForPosts();
    await feed.page.locator(".why-button").first().focus();

    await feed.page.keyboard.press("Enter");

    const dialog = feed.page.getByRole("dialog", { name: "Why this post" });
    await dialog.waitFor();
    assert.ok((await dialog.locator(".evidence dt").count()) > 0);
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  it("carries a scroll over the service's death, and every event with it", async () => {
    const feed = await arrive("user_6");
    await feed.waitForPosts();
    await service.kill();
    const known = feed.apiPages.length;

    await feed.scroll(3);
    const fallen = feed.apiPages.slice(known);
    for (const place of [0, 3, 6]) await feed.posts.nth(place).locator(".like").click();
    const liked = await Promise.all([0, 3, 6].map((place) => feed.posts.nth(place).getAttribute("data-post")));

    assert.ok(fallen.some(({ source }) => source === "random_fallback"));
    assert.ok(
      fallen.every(({ ms }) => ms <= 3500),
      JSON.stringify(fallen.map(({ ms }) => ms)),
    );
    assert.equal(await feed.page.locator(".notice").count(), 0);

    await service.restart();
    await feed.scroll(2);
    await feed.waitForSource("ml_recommendations");
    assert.equal(repeats(await feed.ids()), 0);
    await eventually(
      async () => {
        const rows = await query<{ post_id: string }>(
          "SELECT post_id FROM user_interaction WHERE user_id = $1 AND interaction_type = 'like' AND post_id = ANY($2)",
          [userUuid("user_6"), liked],
        );
        return new Set(rows.map((row) => row.post_id)).size === 3;
      },
      "the three likes",
      40_000,
    );
    assert.deepEqual(feed.complaints, []);
  });

  it("says kindly that PostgreSQL is stopped, and recovers", async () => {
    const feed = await arrive("user_7");
    await feed.waitForPosts();
    await postgres.stop();
    await feed.reload();
    await feed.page.getByText("The feed is resting for a moment").waitFor();

    await postgres.restart();

    await feed.waitForPosts();
    assert.deepEqual(feed.complaints, []);
  });

  it("shows the operator the health, the model with its figures, and one user's lists", async () => {
    const feed = await arrive();
    await feed.page.goto(feed.address("/operator?user=user_8"));

    assert.match(await feed.page.locator(".tiles").innerText(), /healthy[\s\S]*v1/);
    assert.ok((await feed.page.locator("tbody td.number").count()) > 0);
    assert.ok((await feed.page.getByRole("region", { name: "Ranked", exact: true }).locator("li").count()) > 0);
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  describe("through the client package", () => {
    const client = () => new FeedServiceClient({ baseUrl: service.url, apiKey: KEY });

    it("pages to the end of the catalogue without a repeat", async () => {
      const ids: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await client().recommendations({ user_id: "user_9", limit: 50, cursor });
        ids.push(...page.recommendations.map((item) => item.post_id));
        cursor = page.metadata.next_cursor;
      } while (cursor !== null);

      assert.ok(ids.length > 200);
      assert.equal(repeats(ids), 0);
    });

    it("has an event stored once, however often it is sent", async () => {
      const page = await client().recommendations({ user_id: "user_10", limit: 1 });
      const event = {
        user_id: "user_10",
        post_id: page.recommendations[0]?.post_id ?? "",
        interaction_type: "like" as const,
        event_id: newUuid(),
        request_id: page.metadata.request_id,
      };

      const first = await client().trackBatch([event]);
      const second = await client().trackBatch([event]);

      assert.deepEqual([first.accepted, second.accepted, second.duplicates], [1, 0, 1]);
    });

    it("learns the service's own codes for what is wrong", async () => {
      const codeOf = (call: Promise<unknown>) =>
        call.then(
          () => "no error",
          (error: unknown) => (error instanceof FeedServiceError ? error.code : String(error)),
        );
      const stranger = { user_id: "nobody", post_id: newUuid(), interaction_type: "like" as const };

      assert.equal(await codeOf(client().track(stranger)), "unknown_user");
      assert.equal(await codeOf(client().track({ ...stranger, user_id: "user_1" })), "unknown_post");
      assert.equal(await codeOf(client().recommendations({ user_id: "user_1", cursor: "forged" })), "invalid_cursor");
    });

    it("is turned away without its key", async () => {
      const stranger = new FeedServiceClient({ baseUrl: service.url });

      await assert.rejects(stranger.recommendations({ user_id: "user_1" }), { status: 401 });
    });
  });
});
