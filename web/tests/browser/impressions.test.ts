/** What the browser reports as seen, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";
import { waitUntil } from "@/tests/support/wait-until";

test.skip(findChromium() === null, "no Chromium on this machine");
/** Below the second after which a post counts as viewed. */
const GLANCE_MS = 300;
const TIMEOUT_MS = 10_000;

test.describe("the report of seen posts", () => {
  const application = useSmallApplication();
  const { service } = application;
  test.beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.seenReports.length = 0;
    service.events.clear();
  });

  const openFeed = async (user: string): Promise<FeedPage> => {
    const feed = await application.open("/", { user });
    await feed.waitForPosts(20);
    return feed;
  };
  const reportedIds = () => service.seenReports.flatMap(({ seen }) => seen);
  const waitForReport = async (postId: string): Promise<void> => {
    await waitUntil(() => reportedIds().includes(postId), `report of ${postId}`, TIMEOUT_MS);
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
