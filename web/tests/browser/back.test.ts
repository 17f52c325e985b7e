/** The feed after a visit to another page, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const LOADED_POSTS = 80;
const MAX_SHIFT_PX = 50;
const MAX_RETURN_MS = 300;

test.describe("a return to the feed", () => {
  const application = useSmallApplication();
  const { service } = application;
  test.beforeEach(() => service.requests.splice(0));

  const openFeed = async (path = "/", viewport = { width: 1280, height: 900 }): Promise<FeedPage> => {
    const feed = await application.open(path, { viewport });
    await feed.waitForPosts(20);
    return feed;
  };
  const listsRequested = () =>
    service.requests
      .filter(({ path }) => path === "/recommendations/generate")
      .map(({ body }) => (body as { context: { mode: string } }).context.mode);
  const scrollTo = async (feed: FeedPage, topPx: number) => {
    await feed.page.evaluate((top) => window.scrollTo({ top, behavior: "instant" }), topPx);
    await feed.page.waitForTimeout(300);
  };
  /** Opens the first post whose link is on screen. */
  const openPost = async (feed: FeedPage): Promise<string> => {
    const id = await feed.page.evaluate(() => {
      const onScreen = [...document.querySelectorAll("article[data-post]")].find((article) => {
        const { top, bottom } = article.getBoundingClientRect();
        return top > 100 && bottom < innerHeight;
      });
      return onScreen?.getAttribute("data-post") ?? "";
    });
    await feed.page.locator(`article[data-post="${id}"] a.when`).click();
    await feed.page.waitForURL("**/post/**");
    await feed.page.getByRole("link", { name: "Feed", exact: false }).first().waitFor();
    return id;
  };
  const topOf = (feed: FeedPage, id: string) =>
    feed.page
      .locator(`article[data-post="${id}"]`)
      .evaluate((article) => Math.round(article.getBoundingClientRect().top));
  /** Waits for the feed after another page, which may have as many posts. */
  const waitForFeed = async (feed: FeedPage, path = "/") => {
    await feed.page.waitForURL(application.urlOf(path));
    await feed.page.getByRole("radio", { name: "For you" }).waitFor({ state: "attached" });
    await feed.waitForPosts(20);
  };
  /** Goes back in the page, and returns the time until the list is in its place. */
  const goBack = (feed: FeedPage) =>
    feed.page.evaluate(async (count) => {
      const startedAt = performance.now();
      history.back();
      while (document.querySelectorAll("[role=feed] article[data-post]").length < count || scrollY < 1000) {
        await new Promise(requestAnimationFrame);
      }
      return performance.now() - startedAt;
    }, LOADED_POSTS);

  for (const viewport of [
    { width: 1280, height: 900 },
    { width: 390, height: 800 },
  ]) {
    test(`has the same ${LOADED_POSTS} posts in the same place at ${viewport.width} px, without a request`, async () => {
      const feed = await openFeed("/", viewport);
      await feed.scroll(LOADED_POSTS / 20 - 1);
      await feed.waitForPosts(LOADED_POSTS);
      await scrollTo(feed, 9000);
      const [idsBefore, pagesBefore] = [await feed.ids(), feed.apiPages.length];
      const yBefore = await feed.page.evaluate(() => scrollY);
      const id = await openPost(feed);

      const returnMs = await goBack(feed);

      const shiftPx = Math.abs((await feed.page.evaluate(() => scrollY)) - yBefore);
      console.log(`back at ${viewport.width} px: ${Math.round(returnMs)} ms, ${shiftPx} px`);
      assert.deepEqual(await feed.ids(), idsBefore);
      assert.ok(shiftPx <= MAX_SHIFT_PX, `${shiftPx} px`);
      const top = await topOf(feed, id);
      assert.ok(top > 50 && top < viewport.height, `${top} px`);
      await feed.page.waitForTimeout(1000); // nothing moves or is requested later
      assert.ok(Math.abs((await topOf(feed, id)) - top) <= 1);
      assert.equal(feed.apiPages.length, pagesBefore);
      assert.ok(returnMs <= MAX_RETURN_MS, `${returnMs} ms`);
      assert.deepEqual(feed.consoleErrors, []);
    });
  }

  test("by the link of a post goes through the history, and the one of the navigation keeps the list", async () => {
    const feed = await openFeed();
    await feed.scroll(1);
    await scrollTo(feed, 4000);
    const [idsBefore, listsBefore] = [await feed.ids(), listsRequested().length];
    const id = await openPost(feed);

    await feed.page.getByRole("link", { name: "‹ Feed" }).click();
    await waitForFeed(feed);
    assert.ok((await topOf(feed, id)) > 50);
    assert.equal(await feed.page.evaluate(() => Reflect.get(window, "navigation").canGoForward), true);

    await openPost(feed);
    await feed.page.getByRole("link", { name: "Home" }).click();
    await waitForFeed(feed);
    assert.deepEqual([await feed.ids(), listsRequested().length], [idsBefore, listsBefore]);
    await feed.page.getByRole("button", { name: "Load a new list" }).click();
    await feed.page.waitForResponse((response) => response.url().includes("/api/feeds"));
    assert.equal(listsRequested().length, listsBefore + 1);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("keeps the chosen list, also after a reload", async () => {
    const feed = await openFeed();
    const list = feed.page.waitForResponse((response) => response.url().includes("/api/feeds"));
    await feed.page.getByText("Newest").click();
    await feed.page.waitForURL("**/?feed=newest");
    await list;
    await feed.waitForPosts(20);
    const ids = await feed.ids();
    await openPost(feed);
    await feed.page.goBack();
    await waitForFeed(feed, "/?feed=newest");
    assert.deepEqual(await feed.ids(), ids);
    assert.deepEqual(listsRequested(), ["ranked", "newest"]);

    await feed.reload();
    await feed.waitForPosts(20);

    assert.equal(await feed.page.getByRole("radio", { name: "Newest" }).isChecked(), true);
    assert.equal(new URL(feed.page.url()).search, "?feed=newest");
    assert.deepEqual(listsRequested(), ["ranked", "newest", "newest"]);
    assert.equal(feed.apiPages.length, 1); // the server rendered the list after the reload
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("shows the ranked list for an address without a known one", async () => {
    const feed = await openFeed("/?feed=unknown");

    assert.equal(await feed.page.getByRole("radio", { name: "For you" }).isChecked(), true);
    assert.deepEqual(listsRequested(), ["ranked"]);
  });
});
