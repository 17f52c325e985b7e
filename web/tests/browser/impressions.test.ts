/** What the browser reports as seen, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { type Browser, type BrowserContext, test } from "@playwright/test";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { Postgres } from "@/tests/support/postgres";
import { browserCookie } from "@/tests/support/session";
import { loadSmallFeed } from "@/tests/support/small-feed";
import { WebServer } from "@/tests/support/web-server";

test.skip(findChromium() === null, "no Chromium on this machine");
/** Below the second after which a post counts as viewed. */
const GLANCE_MS = 300;
const TIMEOUT_MS = 10_000;

test.describe("the report of seen posts", () => {
  let postgres: Postgres;
  let web: WebServer;
  let browser: Browser;
  let context: BrowserContext;
  const service = new FakeFeedService();

  test.beforeAll(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser(), service.start()]);
    service.catalogue = (await loadSmallFeed(postgres.url)).postIds;
    web = await WebServer.start({ DATABASE_URL: postgres.url, ML_SERVICE_URL: service.url });
  });
  test.afterAll(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service.stop()]);
    await postgres?.end();
  });
  test.beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.seenReports.length = 0;
    service.events.clear();
  });
  test.afterEach(() => context.close());

  const openFeed = async (user: string): Promise<FeedPage> => {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    await context.addCookies([await browserCookie(user, web.url)]);
    const feed = await FeedPage.open(context, web.url);
    await feed.waitForPosts(20);
    return feed;
  };
  const reportedIds = () => service.seenReports.flatMap(({ seen }) => seen);
  const waitForReport = async (postId: string): Promise<void> => {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!reportedIds().includes(postId)) {
      assert.ok(Date.now() < deadline, `${postId} was not reported within ${TIMEOUT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  test("contains a post that was on screen for less than a second, and none that was not", async () => {
    const feed = await openFeed("user-1");
    const ids = await feed.ids();
    const [first = "", tenth = "", last = ""] = [ids[0], ids[9], ids[19]];

    await feed.posts.nth(9).evaluate((post) => post.scrollIntoView({ block: "center", behavior: "instant" }));
    await feed.page.waitForTimeout(GLANCE_MS);
    await feed.page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
    await Promise.all([waitForReport(first), waitForReport(tenth)]);

    const reported = reportedIds();
    assert.equal(reported.includes(last), false);
    assert.equal(new Set(reported).size, reported.length);
    const [page] = service.seenReports;
    assert.deepEqual([page?.user_id, page?.request_id.startsWith("request-")], ["user-1", true]);
    const viewed = [...service.events.values()].map(({ post_id }) => post_id);
    assert.equal(viewed.includes(tenth), false);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("is sent when the page is hidden", async () => {
    const feed = await openFeed("user-2");
    const [first = ""] = await feed.ids();
    // The posts are in the HTML before the application has started, which then replaces dates by ages.
    await feed.page
      .locator("article time", { hasText: /^\d+[hd]$/ })
      .first()
      .waitFor();
    await feed.page.waitForTimeout(GLANCE_MS);

    await feed.page.goto("about:blank"); // before the next batch

    await waitForReport(first);
  });

  test("fails silently while the service is unavailable", async () => {
    const feed = await openFeed("user-3");
    service.behaviour = { kind: "status", status: 503 };

    const response = await feed.page.waitForResponse((one) => one.url().endsWith("/api/impressions"));

    assert.equal(response.status(), 503);
    assert.equal(await feed.page.locator(".notice").count(), 0);
    assert.deepEqual(feed.consoleErrors, []);
  });
});
