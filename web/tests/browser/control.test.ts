/** Settings, interests, and the menu of a profile, in a real browser on the real service and PostgreSQL. */
import assert from "node:assert/strict";
import { type Browser, type BrowserContext, type BrowserContextOptions, test } from "@playwright/test";
import { userUuid } from "@/lib/platform/ids";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { FeedService } from "@/tests/support/feed-service";
import { Postgres } from "@/tests/support/postgres";
import { browserCookie, sessionUser } from "@/tests/support/session";
import { loadSmallFeed } from "@/tests/support/small-feed";
import { WebServer } from "@/tests/support/web-server";

test.skip(findChromium() === null, "no Chromium on this machine");
const API_KEY = "control-tests";

test.describe("what a user controls", () => {
  let postgres: Postgres;
  let service: FeedService;
  let web: WebServer;
  let browser: Browser;
  let context: BrowserContext;

  test.beforeAll(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser()]);
    await loadSmallFeed(postgres.url);
    service = await FeedService.startWithoutModel(postgres.url, { API_KEYS: API_KEY });
    web = await WebServer.start({
      DATABASE_URL: postgres.url,
      ML_SERVICE_URL: service.url,
      ML_SERVICE_API_KEY: API_KEY,
    });
  });
  test.afterAll(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service?.end()]);
    await postgres?.end();
  });
  test.afterEach(() => context?.close());

  const open = async (path: string, user: string | null, options: BrowserContextOptions = {}): Promise<FeedPage> => {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    if (user) await context.addCookies([await browserCookie(user, web.url)]);
    return FeedPage.open(context, new URL(path, web.url).href);
  };
  const submit = async (feed: FeedPage, name: string) => {
    await Promise.all([feed.page.waitForNavigation(), feed.page.getByRole("button", { name, exact: true }).click()]);
  };

  test("is set without scripts: languages, a word, and taking it back", async () => {
    const { page } = await open("/settings", "user-3", { javaScriptEnabled: false });

    await page.getByLabel("Deutsch").check();
    await page.getByLabel("Show posts that their authors mark as sensitive").check();
    await page.getByRole("region", { name: "What you read" }).getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved. It holds from the next page of your feed on.").waitFor();
    assert.equal(await page.getByLabel("Deutsch").isChecked(), true);
    const [stored] = await postgres.query("SELECT languages, show_sensitive FROM users WHERE external_id = 'user-3'");
    assert.deepEqual(stored, { languages: ["de"], show_sensitive: true });

    await page.getByLabel("Word to mute").fill("Sourdough");
    await page.getByRole("button", { name: "Mute", exact: true }).click();
    await page.getByText("Muted: Sourdough").waitFor();
    await page.getByRole("button", { name: "Unmute sourdough" }).click();
    await page.getByText("No longer muted: sourdough").waitFor();
    await page.getByRole("button", { name: "Undo: No longer muted: sourdough" }).click();
    await page.getByRole("list", { name: "Muted words" }).getByText("sourdough").waitFor();
  });

  test("says so while the service is away, and keeps what was entered", async () => {
    const feed = await open("/settings", "user-4");
    await service.kill();
    try {
      await feed.page.getByLabel("Word to mute").fill("tide tables");
      await submit(feed, "Mute");
      await feed.page
        .getByRole("alert")
        .getByText(/the service is not available at the moment/)
        .waitFor();
      assert.equal(await feed.page.getByLabel("Word to mute").inputValue(), "tide tables");
      assert.deepEqual(await feed.accessibilityViolations(), []);
    } finally {
      await service.restart();
    }
    await submit(feed, "Mute");
    await feed.page.getByRole("status").getByText("Muted: tide tables").waitFor();
  });

  test("removes the posts of a user from their profile, and Undo restores them", async () => {
    const feed = await open("/user/user-7", "user-5");
    await feed.waitForPosts(3);
    const before = await feed.ids();

    await feed.page.getByRole("button", { name: /^More actions for/ }).click();
    await feed.page.getByRole("menuitem", { name: /^Block/ }).click();
    await feed.page.getByText(/^You have blocked/).waitFor();
    assert.deepEqual(await feed.ids(), []);
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.page.getByRole("button", { name: "Undo" }).click();
    await feed.waitForPosts(3);
    assert.deepEqual(await feed.ids(), before);
    assert.deepEqual(await postgres.query("SELECT FROM feed_controls WHERE user_id = $1", [userUuid("user-5")]), []);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("begins with interests, to which the feed of a new visitor leads until it is closed", async () => {
    const feed = await open("/", null);
    await feed.waitForPosts(5);
    await feed.page.getByRole("link", { name: "Choose interests" }).click();
    await feed.page.getByRole("heading", { name: "What are you interested in?" }).waitFor();

    await feed.page.getByLabel("#garden").check();
    await submit(feed, "Show my feed");
    await feed.page.getByRole("alert").getByText("Please choose 3 or more.").waitFor();
    assert.equal(await feed.page.getByLabel("#garden").isChecked(), true);

    await feed.page.getByLabel("#type").check();
    await feed.page.locator("input[name=authors]").first().check();
    await submit(feed, "Show my feed");
    await feed.waitForPosts(5);
    assert.equal(await feed.page.getByText("Make this feed yours").count(), 0);
    const visitor = await sessionUser(await context.cookies());
    const interests = await postgres.query("SELECT tag FROM user_interest WHERE user_id = $1 ORDER BY tag", [visitor]);
    assert.deepEqual(
      interests.map(({ tag }) => tag),
      ["garden", "type", null],
    );
    await context.close();

    const other = await open("/", null);
    await submit(other, "Do not show this again");
    await other.waitForPosts(5);
    assert.equal(await other.page.getByText("Make this feed yours").count(), 0);
  });

  test("ends with the deletion of all data, and a new session", async () => {
    const feed = await open("/", "user-6");
    await feed.waitForPosts(3);
    await feed.page.locator("article .like").first().click();
    await feed.page.getByRole("link", { name: "Settings" }).click();
    await feed.page.getByRole("heading", { name: "Your data" }).waitFor();

    const download = feed.page.waitForEvent("download");
    await feed.page.getByRole("button", { name: "Export my data" }).click();
    assert.equal((await download).suggestedFilename(), "my-data.json");

    await feed.page.getByLabel(/To confirm, enter the word/).fill("delete");
    await submit(feed, "Delete my data");
    await feed.page.getByText("Your data is deleted, and your session has ended.").waitFor();

    assert.notEqual(await sessionUser(await context.cookies()), "user-6");
    assert.deepEqual(await postgres.query("SELECT FROM users WHERE external_id = 'user-6'"), []);
    assert.deepEqual(await postgres.query("SELECT FROM user_interaction WHERE user_id = $1", [userUuid("user-6")]), []);
    const keys = await feed.page.evaluate(() => Object.keys(localStorage));
    assert.deepEqual(
      keys.filter((key) => key.includes("user-6")),
      [],
    );
    assert.deepEqual(feed.consoleErrors, []);
  });
});
