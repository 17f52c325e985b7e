/** A visit by keyboard alone, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { expect, test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");

test.describe("without a mouse", () => {
  const application = useSmallApplication();

  const openFeed = async (user: string): Promise<FeedPage> => {
    const feed = await application.open("/", { user });
    await feed.waitForPosts(20);
    return feed;
  };
  const focusedPost = (feed: FeedPage) =>
    feed.page.evaluate(() => document.activeElement?.closest("article")?.getAttribute("data-post"));

  test("the first post is two tabs away", async () => {
    const feed = await openFeed("user-1");
    const { keyboard } = feed.page;

    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await keyboard.press("Tab");

    assert.equal(await focusedPost(feed), (await feed.ids())[0]);
  });

  test("a user scrolls, likes, replies, asks why, hides, undoes and switches the list", async () => {
    const feed = await openFeed("user-25");
    const { page } = feed;
    const { keyboard } = page;
    const [firstId, secondId = ""] = await feed.ids();
    const second = page.locator(`article[data-post="${secondId}"]`);

    await expect(async () => {
      // The page may not listen yet, and the focus may come late.
      await keyboard.press((await focusedPost(feed)) ? "k" : "j");
      assert.equal(await focusedPost(feed), firstId);
    }).toPass();
    await keyboard.press("j");
    assert.equal(await focusedPost(feed), secondId);

    await keyboard.press("l");
    await expect(second.locator(".like")).toHaveAttribute("aria-pressed", "true");

    await keyboard.press("w");
    await page.getByRole("dialog", { name: "Why this post" }).waitFor();
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });

    await second.focus();
    await keyboard.press("r");
    await second.getByRole("textbox").waitFor();
    while ((await page.evaluate(() => document.activeElement?.tagName)) !== "TEXTAREA") await keyboard.press("Tab");
    await keyboard.type("By keyboard");
    await keyboard.press("Tab");
    await keyboard.press("Enter");
    await second.getByText("By keyboard").waitFor();

    await second.focus();
    await keyboard.press("m");
    await expect(page.getByRole("menuitem", { name: "Hide this post" })).toBeFocused();
    await keyboard.press("Enter");
    await expect(page.getByRole("button", { name: "Undo" })).toBeFocused();
    await keyboard.press("Enter");
    await second.waitFor();

    const following = page.getByRole("radio", { name: "Following" });
    while (!(await following.evaluate((radio) => radio.closest("fieldset")?.contains(document.activeElement))))
      await keyboard.press("Shift+Tab");
    await keyboard.press("ArrowRight");
    await page.waitForURL("**/?feed=following");

    assert.deepEqual(feed.consoleErrors, []);
  });
});
