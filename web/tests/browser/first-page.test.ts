/** The first page from the server, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { type BrowserContextOptions, test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
/** The notice goes within this time after a recovery. */
const RECOVERY_MS = 5000;

test.describe("the first page", () => {
  const application = useSmallApplication();
  const { service } = application;
  test.beforeEach(async () => {
    await service.start().catch(() => undefined); // the previous test may have stopped it
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
    service.events.clear();
    service.catalogue = application.postIds;
  });

  const openFeed = async (options: BrowserContextOptions = {}): Promise<FeedPage> => {
    return application.open("/", options);
  };
  const firstPagesRequested = () =>
    service.requests.filter(({ path, body }) => {
      if (path !== "/recommendations/generate") return false;
      const { limit, cursor } = body as { limit: number; cursor?: string | null };
      return limit === 20 && !cursor;
    }).length;
  const topOfFirstPost = (feed: FeedPage) => feed.posts.first().evaluate((post) => post.getBoundingClientRect().top);

  test("is in the HTML, and can be read without JavaScript", async () => {
    const feed = await openFeed({ javaScriptEnabled: false });

    assert.deepEqual(await feed.ids(), application.postIds.slice(0, 20));
    assert.equal(await feed.source(), "ml_recommendations");
    for (const post of await feed.posts.all()) {
      assert.ok(await post.isVisible());
      assert.match((await post.locator(".content").textContent()) ?? "", /\w+ \w+/);
    }
    assert.equal(await feed.page.locator(".skeletons").count(), 0);
  });

  test("is handed to the browser, which requests only the next pages, without a repeated post", async () => {
    const feed = await openFeed();
    await feed.waitForPosts(20);
    assert.deepEqual([firstPagesRequested(), feed.apiPages.length], [1, 0]);

    await feed.scroll(3);
    await feed.waitForPosts(80);

    const ids = await feed.ids();
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(ids.slice(0, 20), application.postIds.slice(0, 20));
    assert.equal(firstPagesRequested(), 1);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("has fallback posts after 800 ms, and a button for the page of the service when it arrives", async () => {
    service.behaviour = { kind: "slow", delayMs: 2000 };
    const feed = await application.open("/", {}, { waitUntil: "commit" });
    const button = feed.page.getByRole("button", { name: "Show your feed" });

    await feed.waitForPosts(20);
    const firstByteMs = await feed.page.evaluate(
      () => (performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming).responseStart,
    );
    assert.ok(firstByteMs >= 700 && firstByteMs < 1500, `${firstByteMs} ms`);
    assert.equal(await feed.source(), "random_fallback");
    assert.equal(await feed.page.locator(".source-note").isVisible(), true);
    const [idsBefore, topBefore] = [await feed.ids(), await topOfFirstPost(feed)];

    await button.waitFor();
    assert.deepEqual([await feed.ids(), await topOfFirstPost(feed)], [idsBefore, topBefore]);
    assert.equal(await feed.page.locator(".source-note").isVisible(), false);
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await button.click();

    await feed.waitForSource("ml_recommendations");
    assert.deepEqual(await feed.ids(), application.postIds.slice(0, 20));
    assert.equal(await button.count(), 0);
    service.behaviour = { kind: "healthy" };
    await feed.scroll(1);
    const ids = await feed.ids();
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(firstPagesRequested(), 1);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("keeps its fallback posts in place when the service recovers, and the notice goes by itself", async () => {
    await service.stop();
    const feed = await openFeed();
    await feed.waitForPosts(20);
    await feed.page.locator(".source-note").waitFor({ state: "visible" });
    const [idsBefore, topBefore] = [await feed.ids(), await topOfFirstPost(feed)];
    await feed.page.waitForTimeout(1500); // a check fails in the meantime

    await service.start();
    await feed.page.locator(".source-note").waitFor({ state: "hidden", timeout: RECOVERY_MS });

    assert.deepEqual([await feed.ids(), await topOfFirstPost(feed)], [idsBefore, topBefore]);
    assert.equal(await feed.source(), "random_fallback");
    await feed.page.getByRole("button", { name: "Show your feed" }).click();
    await feed.waitForSource("ml_recommendations");
    assert.deepEqual(await feed.ids(), application.postIds.slice(0, 20));
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("shows the notice again if the service fails again", async () => {
    await service.stop();
    const feed = await openFeed();
    await service.start();
    await feed.page.locator(".source-note").waitFor({ state: "hidden", timeout: RECOVERY_MS });
    await service.stop();

    await feed.scroll(1);

    await feed.page.locator(".source-note").waitFor({ state: "visible" });
    await service.start();
    await feed.page.locator(".source-note").waitFor({ state: "hidden", timeout: RECOVERY_MS });
  });

  test("is restored as it was by the back button", async () => {
    const feed = await openFeed();
    await feed.waitForPosts(20);
    await feed.posts.nth(2).locator("a.when").click();
    await feed.page.waitForURL("**/post/**").catch((error: unknown) => {
      throw new Error(`${feed.page.url()} ${feed.consoleErrors.join(" | ")}`, { cause: error });
    });
    await feed.page.getByLabel("Your reply").waitFor();

    await feed.page.goBack();
    await feed.waitForPosts(20);

    assert.deepEqual((await feed.ids()).slice(0, 20), application.postIds.slice(0, 20));
    assert.deepEqual(feed.consoleErrors, []);
  });
});
