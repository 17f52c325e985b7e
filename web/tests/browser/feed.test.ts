/** The feed in a real browser, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { userUuid } from "@/lib/platform/ids";
import { findChromium } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { browserCookie, OPERATOR_KEY, sessionUser } from "@/tests/support/session";
import { useSmallApplication } from "@/tests/support/small-application";
import { waitUntil } from "@/tests/support/wait-until";
import { WebServer } from "@/tests/support/web-server";

test.skip(findChromium() === null, "no Chromium on this machine");
/** Of events, after six failures: a machine that is busy scrolls slowly, and the outage lasts. */
const LONGEST_RETRY_DELAY_MS = 30_000;
const SMALL_SCREEN = { width: 1280, height: 720 };

test.describe("the feed page", () => {
  const application = useSmallApplication();
  const { service } = application;
  test.beforeEach(async () => {
    await service.start().catch(() => undefined); // the previous test may have stopped it
    service.behaviour = { kind: "healthy" };
    service.nextBehaviours.length = 0;
    service.requests.length = 0;
    service.events.clear();
    service.controls.clear();
    service.feedbackIds.clear();
    service.follows.clear();
    service.newPosts = 0;
    service.catalogue = application.postIds;
    service.knownUsers = null;
  });

  const openFeed = (options: Parameters<typeof application.open>[1] = {}) => application.open("/", options);
  const countRepeats = (ids: string[]) => ids.length - new Set(ids).size;

  test("shows the list of the service to a new visitor", async () => {
    const feed = await openFeed();
    await feed.waitForPosts(20);

    assert.deepEqual(await feed.ids(), application.postIds.slice(0, 20));
    assert.equal(await feed.source(), "ml_recommendations");
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("scrolls through ten pages without a repeated post", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();
    await feed.scroll(9);
    await feed.waitForPosts(200);

    const ids = await feed.ids();

    assert.deepEqual([ids.length >= 200, countRepeats(ids)], [true, 0]);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("continues with random posts if the service stops during a scroll, and loses no event", async () => {
    const feed = await openFeed({ user: "user-1" });
    await feed.waitForPosts();
    await service.stop();
    const pagesBefore = feed.apiPages.length;

    await feed.scroll(2);
    await feed.page.locator("article .like[aria-pressed=false]").first().click();
    const fallbackPages = feed.apiPages.slice(pagesBefore);

    assert.ok(fallbackPages.some(({ source }) => source === "random_fallback"));
    assert.ok(
      fallbackPages.every(({ ms }) => ms < 3500),
      JSON.stringify(fallbackPages.map(({ ms }) => ms)),
    );
    assert.equal(countRepeats(await feed.ids()), 0);
    assert.equal(await feed.page.locator(".notice").count(), 0);
    assert.deepEqual(feed.consoleErrors, []);

    await service.start();
    await waitUntil(
      () => [...service.events.values()].some((e) => e.interaction_type === "like"),
      "stored like",
      LONGEST_RETRY_DELAY_MS + 5000,
    );
  });

  test("returns to recommendations without a reload after the service has restarted", async () => {
    const feed = await openFeed({ user: "user-2" });
    await feed.waitForPosts();
    await service.stop();
    await feed.scroll(2);
    await feed.waitForSource("random_fallback");
    await service.start();

    await feed.scroll(2);

    await feed.waitForSource("ml_recommendations");
    assert.equal(countRepeats(await feed.ids()), 0);
  });

  test("falls back after three seconds if the service needs five for a new list", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();
    service.behaviour = { kind: "slow", delayMs: 5000 };

    await feed.page.getByRole("button", { name: "Load a new list" }).click();
    await feed.waitForSource("random_fallback");

    const [first] = feed.apiPages;
    assert.equal(first?.source, "random_fallback");
    assert.ok(first.ms >= 2900 && first.ms < 3500, `${first.ms} ms`);
  });

  for (const behaviour of [{ kind: "status", status: 503 }, { kind: "broken json" }] as const) {
    test(`falls back if the service responds with ${Object.values(behaviour).join(" ")}`, async () => {
      service.behaviour = behaviour;

      const feed = await openFeed();
      await feed.waitForPosts();

      assert.equal(await feed.source(), "random_fallback");
      assert.match(await feed.page.locator(".source-note").innerText(), /These are random posts/);
      assert.deepEqual(feed.consoleErrors, []);
    });
  }

  test("shows that the database is unavailable, and recovers without a reload", async () => {
    await application.postgres.stop();
    const feed = await openFeed();
    await feed.page.getByText("The feed is temporarily unavailable").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await application.postgres.restart();

    await feed.waitForPosts();
    assert.equal(await feed.page.getByText("The feed is temporarily unavailable").count(), 0);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("keeps the shown posts if the database stops during a scroll", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();
    await feed.page.waitForTimeout(300); // the first page is shown, and no request is running
    await application.postgres.stop();
    const shown = (await feed.ids()).length;
    await feed.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await feed.page.getByText("More posts are temporarily unavailable").waitFor();
    assert.ok((await feed.ids()).length >= shown);

    await application.postgres.restart();

    await feed.scroll(1);
    assert.equal(countRepeats(await feed.ids()), 0);
  });

  test("shows no hidden or deleted posts in the fallback", async () => {
    const [hidden = "", deleted = ""] = application.postIds.slice(-2);
    await application.postgres.query("UPDATE posts SET visible = false WHERE id = $1", [hidden]);
    await application.postgres.query("DELETE FROM posts WHERE id = $1", [deleted]);
    service.behaviour = { kind: "status", status: 503 };

    const feed = await openFeed();
    await feed.waitForPosts();
    while (!(await feed.page.getByText("You are all caught up").count())) await feed.scroll(1);
    const ids = await feed.ids();

    assert.deepEqual([ids.includes(hidden), ids.includes(deleted), countRepeats(ids)], [false, false, 0]);
    assert.ok(ids.length > 300);
    await application.postgres.query("UPDATE posts SET visible = true WHERE id = $1", [hidden]);
    application.postIds = application.postIds.filter((id) => id !== deleted);
  });

  test("shows no hidden post and no post of a muted author in the fallback", async () => {
    const [hidden = ""] = application.postIds.slice(-1);
    const user = userUuid("user-13");
    const muted = userUuid("user-14");
    await application.postgres.query(
      "INSERT INTO user_feedback (user_id, action, post_id) VALUES ($1, 'hide_post', $2)",
      [user, hidden],
    );
    await application.postgres.query(
      "INSERT INTO user_feedback (user_id, action, author_id) VALUES ($1, 'mute_author', $2)",
      [user, muted],
    );
    const posts = await application.postgres.query<{ id: string }>("SELECT id FROM posts WHERE author_id = $1", [
      muted,
    ]);
    const absent = new Set([hidden, ...posts.map(({ id }) => id)]);
    service.behaviour = { kind: "status", status: 503 };

    const feed = await openFeed({ user: "user-13" });
    await feed.waitForPosts();
    while (!(await feed.page.getByText("You are all caught up").count())) await feed.scroll(1);
    const ids = await feed.ids();

    assert.ok(absent.size > 1 && ids.length > 200);
    assert.deepEqual(
      ids.filter((id) => absent.has(id)),
      [],
    );
  });

  test("shows the end of the unseen posts, and continues with seen posts on request", async () => {
    service.catalogue = application.postIds.slice(0, 30);
    for (const id of application.postIds.slice(25, 30)) {
      service.events.set(id, { user_id: "user-3", post_id: id, interaction_type: "view" });
    }
    const feed = await openFeed({ user: "user-3" });
    await feed.waitForPosts();
    await feed.scroll(1);
    await feed.page.getByText("You are all caught up").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.page.getByRole("button", { name: "Show posts I've already seen" }).click();
    await feed.waitForPosts(30);

    assert.equal(countRepeats(await feed.ids()), 0);
    assert.equal(
      await feed.page.getByRole("feed", { name: "Posts you've already seen" }).locator("article").count(),
      5,
    );
  });

  test("does not show a viewed post again after a reload", async () => {
    const feed = await openFeed({ user: "user-4" });
    await feed.waitForPosts();
    const [viewedId = ""] = await feed.ids();
    await feed.page.waitForTimeout(1300); // a view counts after a second

    await feed.reload();
    await feed.waitForPosts();

    assert.equal((await feed.ids()).includes(viewedId), false);
    const views = [...service.events.values()].filter((event) => event.post_id === viewedId);
    assert.deepEqual(
      views.map(({ interaction_type }) => interaction_type),
      ["view"],
    );
    assert.ok(Number(views[0]?.metadata?.["dwell_time_ms"]) >= 1000);
  });

  test("sends an event twice after a lost response, and it is stored once", async () => {
    const feed = await openFeed({ user: "user-5" });
    await feed.waitForPosts();
    await feed.page.route("**/api/events", async (route) => {
      await route.fetch(); // the server stores the events, but its response never arrives
      await route.abort().catch(() => undefined); // the page may already be closed
    });
    await feed.page.locator("article .like").first().click();
    await waitUntil(() => service.events.size > 0, "first delivery");
    await feed.page.unroute("**/api/events");
    const stored = service.events.size;

    await feed.reload();
    await feed.waitForPosts();
    await waitUntil(
      () => feed.page.evaluate(() => Object.keys(localStorage).every((key) => !key.startsWith("feed-event:"))),
      "empty queue",
    );

    const likes = [...service.events.values()].filter((event) => event.interaction_type === "like");
    assert.equal(likes.length, 1);
    assert.ok(service.receivedEvents > stored);
  });

  test("opens and closes the explanation of a post by keyboard", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();
    const button = feed.page.locator(".explanation-button").first();
    await button.focus();

    await feed.page.keyboard.press("Enter");
    const dialog = feed.page.getByRole("dialog", { name: "Why this post" });
    await dialog.waitFor();

    assert.match(await dialog.innerText(), /Trending: 12 or more people reacted this week/);
    assert.equal(await feed.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Close");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await button.evaluate((element) => element === document.activeElement), true);
  });

  test("moves the focus between posts with Page Down and Page Up", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();
    const focusedPosition = () => feed.page.evaluate(() => document.activeElement?.getAttribute("aria-posinset"));
    await feed.posts.first().focus();

    await feed.page.keyboard.press("PageDown");
    await feed.page.keyboard.press("PageDown");
    assert.equal(await focusedPosition(), "3");
    await feed.page.keyboard.press("PageUp");

    assert.equal(await focusedPosition(), "2");
  });

  test("sends likes and shares to the service", async () => {
    const feed = await openFeed({ user: "user-6", permissions: ["clipboard-write"] });
    await feed.waitForPosts();
    const post = feed.posts.first();
    const id = await post.getAttribute("data-post");

    await post.getByRole("button", { name: /^Like/ }).click();
    await post.getByRole("button", { name: /^Repost/ }).click();
    await feed.page.getByRole("menuitem", { name: "Share link" }).click();
    const actions = () => [...service.events.values()].filter((event) => event.interaction_type !== "view");
    await waitUntil(() => actions().length >= 2, "two events");

    const events = actions();
    assert.deepEqual(events.map((event) => event.interaction_type).sort(), ["like", "share"]);
    assert.ok(events.every((event) => event.post_id === id && event.user_id === "user-6" && event.request_id));
    assert.equal(await post.getByRole("button", { name: /^Like/ }).getAttribute("aria-pressed"), "true");
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  test("removes a like that is clicked again", async () => {
    const feed = await openFeed({ user: "user-6" });
    await feed.waitForPosts();
    const notLiked = feed.posts.filter({ has: feed.page.locator(".like[aria-pressed=false]") });
    const id = await notLiked.first().getAttribute("data-post");
    const button = feed.page.locator(`article[data-post="${id}"] .like`);
    const label = await button.getAttribute("aria-label");
    const likes = () => [...service.events.values()].filter((event) => event.interaction_type === "like");

    await button.click();
    await waitUntil(() => likes().length === 1, "stored like");
    await button.click();
    await waitUntil(() => likes().length === 0, "removed like");

    assert.deepEqual(
      [await button.getAttribute("aria-pressed"), await button.getAttribute("aria-label")],
      ["false", label],
    );
  });

  test("does not send a like that is removed while the service is unavailable", async () => {
    const feed = await openFeed({ user: "user-6" });
    await feed.waitForPosts();
    const button = feed.posts.first().locator(".like");
    service.behaviour = { kind: "status", status: 503 };
    await button.click();
    await waitUntil(() => service.requests.some(({ path }) => path === "/interactions/batch"), "first delivery");
    await button.click();
    await waitUntil(() => service.requests.some(({ path }) => path === "/interactions/retract"), "retraction");
    service.behaviour = { kind: "healthy" };

    await feed.page.waitForTimeout(3000); // a pending event would be sent again by now

    assert.deepEqual(
      [...service.events.values()].filter((event) => event.interaction_type === "like"),
      [],
    );
    assert.equal(await button.getAttribute("aria-pressed"), "false");
  });

  test("hides a post by keyboard, and shows it again after Undo", async () => {
    const feed = await openFeed({ user: "user-12" });
    await feed.waitForPosts();
    const [hiddenId = ""] = await feed.ids();
    const focusedText = () => feed.page.evaluate(() => document.activeElement?.textContent);

    await feed.posts.first().getByRole("button", { name: "More actions" }).focus();
    await feed.page.keyboard.press("Enter");
    await feed.page.getByRole("menu", { name: "More actions" }).waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);
    assert.equal(await focusedText(), "Hide this post");
    await feed.page.keyboard.press("ArrowDown");
    assert.equal(await focusedText(), "Not interested");
    await feed.page.keyboard.press("ArrowUp");
    await feed.page.keyboard.press("Enter");
    const line = feed.page.getByRole("article", { name: "Post hidden." });
    await line.waitFor();
    await waitUntil(() => service.controls.get("user-12")?.length === 1, "stored control");
    assert.equal(service.controls.get("user-12")?.[0]?.post_id, hiddenId);
    assert.equal((await feed.ids()).includes(hiddenId), false);
    assert.equal(await focusedText(), "Undo");
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.page.keyboard.press("Enter");
    await line.waitFor({ state: "detached" });
    await waitUntil(() => service.controls.get("user-12")?.length === 0, "undone control");

    assert.equal((await feed.ids())[0], hiddenId);
    const focusedId = await feed.page.evaluate(() => document.activeElement?.getAttribute("data-post"));
    assert.equal(focusedId, hiddenId);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("shows the line with Undo for ten seconds", async () => {
    const feed = await openFeed({ user: "user-12" });
    await feed.waitForPosts();
    await feed.choose(feed.posts.first(), "Report post");
    const line = feed.page.getByRole("article", { name: "Post reported and hidden." });
    await line.waitFor();

    await feed.page.waitForTimeout(8500);
    assert.equal(await line.count(), 1);

    await line.waitFor({ state: "detached", timeout: 3000 });
    assert.equal(service.controls.get("user-12")?.[0]?.action, "report_post");
  });

  test("removes all posts of a muted author, and restores them after Undo", async () => {
    const feed = await openFeed({ user: "user-12" });
    await feed.waitForPosts(20);
    await feed.scroll(2);
    await feed.scrollToTop();
    const name = (await feed.posts.first().locator(".author").textContent()) ?? "";
    const byAuthor = feed.page.getByRole("article", { name, exact: true });
    const before = await byAuthor.count();
    assert.ok(before > 1);

    await feed.choose(feed.posts.first(), `Mute @${name}`);
    await waitUntil(() => service.controls.get("user-12")?.[0]?.action === "mute_author", "stored control");
    assert.equal(await byAuthor.count(), 0);

    await feed.page.getByRole("button", { name: "Undo" }).click();
    await waitUntil(() => service.controls.get("user-12")?.length === 0, "undone control");
    assert.equal(await byAuthor.count(), before);
  });

  test("shows a hidden post again if the service cannot store the feedback", async () => {
    const feed = await openFeed({ user: "user-12" });
    await feed.waitForPosts();
    const idsBefore = await feed.ids();
    service.behaviour = { kind: "status", status: 503 };

    await feed.choose(feed.posts.first(), "Not interested");

    await feed.page.getByText("This could not be saved").waitFor();
    assert.deepEqual((await feed.ids()).slice(0, 5), idsBefore.slice(0, 5));
  });

  test("follows the author of a post, and ends it", async () => {
    const feed = await openFeed({ user: "new-user" });
    await feed.waitForPosts(20);
    const name = (await feed.posts.first().locator(".author").textContent()) ?? "";
    const followed = () => service.follows.get("new-user")?.size ?? 0;

    await feed.choose(feed.posts.first(), `Follow @${name}`);
    await waitUntil(() => followed() === 1, "stored follow");

    await feed.choose(feed.posts.first(), `Unfollow @${name}`);
    await waitUntil(() => followed() === 0, "end of the follow");
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("shows an author as not followed if the service cannot store the follow", async () => {
    const feed = await openFeed({ user: "new-user" });
    await feed.waitForPosts();
    const name = (await feed.posts.first().locator(".author").textContent()) ?? "";
    service.behaviour = { kind: "status", status: 503 };

    await feed.choose(feed.posts.first(), `Follow @${name}`);
    await feed.page.getByText("This could not be saved").waitFor();

    await feed.posts.first().getByRole("button", { name: "More actions" }).click();
    await feed.page.getByRole("menuitem", { name: `Follow @${name}`, exact: true }).waitFor();
  });

  test("counts new posts while the page is open, and shows a new list on request", async () => {
    const context = await application.newContext();
    await context.clock.install();
    const feed = await FeedPage.open(context, application.url);
    await feed.waitForPosts(20);
    await feed.scroll(1);
    const button = feed.page.getByRole("button", { name: "3 new posts" });
    const calls = () => service.requests.filter(({ path }) => path === "/recommendations/updates").length;

    await service.stop();
    await context.clock.runFor(50_000);
    await feed.page.waitForResponse((response) => response.url().includes("/api/updates")).catch(() => null);
    assert.equal(await button.count(), 0);

    await service.start();
    service.newPosts = 3;
    await context.clock.runFor(50_000);
    await button.waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);
    const callsBefore = calls();
    service.catalogue = [...application.postIds.slice(-3), ...application.postIds];
    await button.click();

    await waitUntil(async () => (await feed.ids())[0] === application.postIds.at(-3), "new list");
    assert.equal(await button.count(), 0);
    assert.equal(await feed.page.evaluate(() => scrollY), 0);
    assert.equal(calls(), callsBefore);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("requests the list that the user selects", async () => {
    const feed = await openFeed();
    await feed.waitForPosts();

    await feed.page.getByRole("radio", { name: "For you" }).focus();
    await feed.page.keyboard.press("ArrowRight");
    await waitUntil(() => feed.apiPages.length >= 1, "page of followed authors");
    await feed.page.keyboard.press("ArrowRight");
    await waitUntil(() => feed.apiPages.length >= 2, "page of the newest posts");

    const modes = service.requests
      .filter(({ path }) => path === "/recommendations/generate")
      .map(({ body }) => (body as { context: { mode: string } }).context.mode);
    assert.deepEqual([...new Set(modes)], ["ranked", "following", "newest"]);
  });

  test("requests the newest posts for users outside the roll-out", async () => {
    const webWithoutRollout = await WebServer.start({
      DATABASE_URL: application.postgres.url,
      ML_SERVICE_URL: service.url,
      FEED_PERCENT: "0",
    });
    const context = await application.newContext({ viewport: SMALL_SCREEN });

    const feed = await FeedPage.open(context, webWithoutRollout.url);
    await feed.waitForPosts();
    await feed.scroll(1);
    await webWithoutRollout.stop();

    const modes = service.requests
      .filter(({ path }) => path === "/recommendations/generate")
      .map(({ body }) => (body as { context: { mode: string } }).context.mode);
    assert.deepEqual([...new Set(modes)], ["newest"]);
  });

  test("stores a visitor as a user before their first event", async () => {
    service.knownUsers = new Set();
    const feed = await openFeed();
    await feed.waitForPosts();
    const visitor = await sessionUser(await application.context.cookies());

    await feed.page.locator("article .like").first().click();
    await waitUntil(
      async () =>
        (await application.postgres.query("SELECT 1 FROM users WHERE external_id = $1", [visitor])).length === 1,
      "row of the visitor",
    );
    service.knownUsers.add(visitor);

    await waitUntil(
      () => [...service.events.values()].some((event) => event.interaction_type === "like"),
      "stored like",
    );
    const [row] = await application.postgres.query<{ id: string }>("SELECT id FROM users WHERE external_id = $1", [
      visitor,
    ]);
    assert.equal(row?.id, userUuid(visitor));
  });

  test("switches to another user of the demo, and keeps the events of both apart", async () => {
    const feed = await openFeed({ user: "user-7" });
    await feed.waitForPosts();
    await feed.page.locator("article .like").first().click();

    await feed.page.getByRole("button", { name: /Switch user/ }).click();
    await feed.page.getByLabel("Find a user").fill("user-8");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.locator(".users li button").first().click();
    await waitUntil(async () => (await sessionUser(await application.context.cookies())) === "user-8", "new session");
    await feed.waitForPosts();

    const likes = [...service.events.values()].filter((event) => event.interaction_type === "like");
    assert.deepEqual(
      likes.map((event) => event.user_id),
      ["user-7"],
    );
  });

  test("shows a new list after another tab has switched users", async () => {
    const feed = await openFeed({ user: "user-10" });
    await feed.waitForPosts();
    await application.context.addCookies([await browserCookie("user-11", application.url)]);
    await feed.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));

    await feed.page.getByRole("button", { name: "Load a new list" }).click();
    await feed.page
      .getByRole("button", { name: /Dora|Eli|Fay|Ada|Ben|Chi/ })
      .first()
      .waitFor();
    await feed.waitForPosts();

    const last = service.requests.filter(({ path }) => path === "/recommendations/generate").at(-1);
    assert.equal((last?.body as { user_id: string } | undefined)?.user_id, "user-11");
  });

  test("shows a post on its own page, and stores the click and a like with the id of the page in the feed", async () => {
    const feed = await openFeed({ user: "user-9" });
    await feed.waitForPosts();
    const id = await feed.posts.first().getAttribute("data-post");

    await feed.posts.first().locator("a.when").click();
    await feed.page.waitForURL(`**/post/${id}?request_id=*`);
    await feed.page.getByLabel("Your reply").waitFor();
    await feed.page.locator("article .like").click();

    const eventsOfPost = () =>
      [...service.events.values()].filter(({ post_id, user_id }) => post_id === id && user_id === "user-9");
    const hasEvent = (type: string) => eventsOfPost().some(({ interaction_type }) => interaction_type === type);
    await waitUntil(() => hasEvent("click") && hasEvent("like"), "stored click and like");
    const requestIds = new Set(eventsOfPost().map(({ request_id }) => request_id));
    assert.deepEqual([requestIds.size, requestIds.has(undefined)], [1, false]);
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  test("shows what users get in the operator console", async () => {
    const feed = await openFeed({ httpCredentials: { username: "operator", password: OPERATOR_KEY } });
    await feed.page.goto(feed.urlOf("/operator/user?user=user-1"));

    for (const list of ["What user-1 gets, and why", "Newest", "Trending"]) {
      assert.ok((await feed.page.getByRole("region", { name: list, exact: true }).locator("li").count()) > 0, list);
    }
    await feed.page.goto(feed.urlOf("/operator"));
    assert.match(await feed.page.locator(".tiles").innerText(), /healthy/);
  });

  test("is interactive within two seconds, with at most 170 kB of compressed script", async () => {
    const warmUp = await openFeed();
    await warmUp.waitForPosts();
    await application.context.close();

    const context = await application.newContext({ viewport: SMALL_SCREEN });
    const page = await context.newPage();
    const scripts: Promise<number>[] = [];
    page.on("requestfinished", (request) => {
      if (request.resourceType() === "script") scripts.push(request.sizes().then((sizes) => sizes.responseBodySize));
    });
    const startedAt = performance.now();
    await page.goto(application.url);
    await page.locator("article .like").first().click();
    await page.locator("article .like[aria-pressed=true]").first().waitFor();
    const elapsedMs = performance.now() - startedAt;
    await page.waitForLoadState("networkidle");
    const scriptBytes = (await Promise.all(scripts)).reduce((sum, bytes) => sum + bytes, 0);

    assert.ok(elapsedMs <= 2000, `${Math.round(elapsedMs)} ms`);
    assert.ok(scriptBytes > 20_000 && scriptBytes <= 170_000, `${scriptBytes} bytes of script`);
    console.log(
      `interactive after ${Math.round(elapsedMs)} ms, ${Math.round(scriptBytes / 1000)} kB of compressed script`,
    );
  });
});
