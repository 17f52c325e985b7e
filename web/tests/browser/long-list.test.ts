/** A long list, of which only the posts near the screen have their controls. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const POSTS = 200;
const MARKED = 120;
const MARKED_TEXT = "Diary of a lighthouse in winter";

test.describe("a long list", () => {
  const application = useSmallApplication(async ({ postgres, postIds }) => {
    await postgres.query("UPDATE posts SET content = $1 WHERE id = $2", [MARKED_TEXT, postIds[MARKED]]);
  });

  const openLongList = async (): Promise<FeedPage> => {
    const feed = await application.open();
    await feed.waitForPosts(20);
    await feed.scroll(POSTS / 20 - 1);
    await feed.waitForPosts(POSTS);
    return feed;
  };

  test("has controls near the screen only, and no axe violation", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();
    await feed.posts.nth(150).locator(".like").waitFor({ state: "detached" });

    assert.ok((await feed.page.locator("article .like").count()) < 30);
    assert.deepEqual(await feed.accessibilityViolations(), []);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("has the text, the author and the position of every post for screen readers", async () => {
    const feed = await openLongList();

    const posts = await feed.page.getByRole("feed").getByRole("article").all();
    const positions = await feed.page.$$eval("article", (articles) => articles.map((a) => a.ariaPosInSet));
    const snapshots = await Promise.all([0, 60, 180].map((index) => posts[index]?.ariaSnapshot()));

    assert.deepEqual(
      positions,
      posts.map((_, index) => String(index + 1)),
    );
    for (const snapshot of snapshots) assert.match(snapshot ?? "", /article "[A-Z]\w+ [A-Z]\w+"[\s\S]*paragraph/);
  });

  test("has every text for 'find in page', and the found text stays selected", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();
    const marked = feed.posts.nth(MARKED);
    await marked.locator(".like").waitFor({ state: "detached" });

    const found = await feed.page.evaluate(
      (text) => (window as unknown as { find: (text: string) => boolean }).find(text),
      MARKED_TEXT,
    );
    await marked.locator(".like").waitFor();

    assert.equal(found, true);
    assert.equal(await feed.page.evaluate(() => getSelection()?.toString()), MARKED_TEXT);
    const [top, height] = await marked.evaluate((post) => [post.getBoundingClientRect().top, innerHeight]);
    assert.ok(top !== undefined && height !== undefined && top > -200 && top < height, `${top}`);
  });

  test("keeps the heights of its posts when they leave the screen and come back", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();
    const heights = () => feed.page.$$eval("article", (all) => all.slice(0, 8).map((post) => post.offsetHeight));
    const before = await heights();

    await feed.page.evaluate(() => scrollTo({ top: 12_000, behavior: "instant" }));
    await feed.posts.first().locator(".like").waitFor({ state: "detached" });
    const away = await heights();
    await feed.scrollToTop();

    assert.deepEqual([away, await heights()], [before, before]);
  });

  test("keeps a reply that is not sent yet", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();
    const post = feed.posts.first();
    await post.getByRole("button", { name: /^Replies/ }).click();
    await post.getByLabel("Your reply").fill("Not yet");
    await feed.page.locator("h1").click();

    await feed.page.evaluate(() => scrollTo({ top: 12_000, behavior: "instant" }));
    await feed.posts.nth(1).locator(".like").waitFor({ state: "detached" });
    await feed.scrollToTop();

    assert.equal(await post.getByLabel("Your reply").inputValue(), "Not yet");
  });

  test("keeps the focus, and moves it to posts far from the screen by keyboard", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();
    await feed.posts.first().locator(".like").focus();
    await feed.page.evaluate(() => scrollTo({ top: 12_000, behavior: "instant" }));
    await feed.posts.nth(1).locator(".like").waitFor({ state: "detached" });
    assert.equal(await feed.page.evaluate(() => document.activeElement?.classList.contains("like")), true);

    for (let step = 0; step < 30; step += 1) await feed.page.keyboard.press("PageDown");

    assert.equal(await feed.page.evaluate(() => document.activeElement?.getAttribute("aria-posinset")), "31");
    await feed.posts.nth(30).locator(".like").waitFor();
  });

  test("changes only the post that is liked", async () => {
    const feed = await openLongList();
    await feed.scrollToTop();

    const changed = await feed.page.evaluate(async () => {
      const ids = new Set<string>();
      const observer = new MutationObserver((records) => {
        for (const { target } of records) {
          const element = target instanceof Element ? target : target.parentElement;
          ids.add(element?.closest("article")?.getAttribute("data-post") ?? "none");
        }
      });
      const list = document.querySelector("[role=feed]");
      const post = document.querySelector("article");
      if (!list || !post) throw new Error("no list");
      observer.observe(list, { subtree: true, childList: true, attributes: true, characterData: true });
      post.querySelector<HTMLElement>(".like")?.click();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { ids: [...ids], first: post.dataset["post"] };
    });

    assert.deepEqual(changed.ids, [changed.first]);
  });
});
