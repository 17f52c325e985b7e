/** The feed in a real browser, over a real PostgreSQL, with a service that behaves as each test says. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { FakeFeedService } from "@feed/client/testing";
import pg from "pg";
import type { Browser, BrowserContext, BrowserContextOptions } from "playwright-core";
import { userUuid } from "@/lib/platform/ids";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { Postgres } from "@/tests/support/postgres";
import { plantSmallFeed } from "@/tests/support/small-feed";
import { WebServer } from "@/tests/support/web-server";

const skip = findChromium() === null ? "no Chromium on this machine" : false;

describe("the feed page", { skip }, () => {
  let postgres: Postgres;
  let web: WebServer;
  let browser: Browser;
  let context: BrowserContext;
  let catalogue: string[];
  const service = new FakeFeedService();

  before(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser(), service.start()]);
    catalogue = (await plantSmallFeed(postgres.url)).postIds;
    web = await WebServer.start({ DATABASE_URL: postgres.url, ML_SERVICE_URL: service.url });
  });
  after(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service.stop()]);
    await postgres?.end();
  });
  beforeEach(async () => {
    await service.start().catch(() => undefined); // the test before may have stopped it
    service.behaviour = { kind: "well" };
    service.next.length = 0;
    service.requests.length = 0;
    service.events.clear();
    service.catalogue = catalogue;
    service.knownUsers = null;
  });
  afterEach(() => context.close());

  const arrive = async (options: BrowserContextOptions & { user?: string } = {}): Promise<FeedPage> => {
    const { user, ...rest } = options;
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...rest });
    if (user) await context.addCookies([{ name: "feed_user", value: user, url: web.url }]);
    return FeedPage.open(context, web.url);
  };
  const eventually = async (holds: () => boolean | Promise<boolean>, what: string, ms = 8000): Promise<void> => {
    const deadline = Date.now() + ms;
    while (!(await holds())) {
      if (Date.now() > deadline) assert.fail(`${what} did not come to hold within ${ms} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const repeats = (ids: string[]) => ids.length - new Set(ids).size;
  const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  };

  it("greets a first-time visitor with the service's list", async () => {
    const feed = await arrive();
    await feed.waitForPosts(20);

    assert.deepEqual(await feed.ids(), catalogue.slice(0, 20));
    assert.equal(await feed.source(), "ml_recommendations");
    assert.deepEqual(feed.complaints, []);
  });

  it("scrolls through ten pages without repeating a post", async () => {
    const feed = await arrive();
    await feed.waitForPosts();
    await feed.scroll(9);
    await feed.waitForPosts(200);

    const ids = await feed.ids();

    assert.deepEqual([ids.length >= 200, repeats(ids)], [true, 0]);
    assert.deepEqual(feed.complaints, []);
  });

  it("goes on as a shuffle when the service dies in the middle of a scroll, and loses no event", async () => {
    const feed = await arrive({ user: "user-1" });
    await feed.waitForPosts();
    await service.stop();
    const known = feed.apiPages.length;

    await feed.scroll(2);
    await feed.page.locator("article .like[aria-pressed=false]").first().click();
    const fallen = feed.apiPages.slice(known);

    assert.ok(fallen.some(({ source }) => source === "random_fallback"));
    assert.ok(
      fallen.every(({ ms }) => ms < 3500),
      JSON.stringify(fallen.map(({ ms }) => ms)),
    );
    assert.equal(repeats(await feed.ids()), 0);
    assert.equal(await feed.page.locator(".notice").count(), 0);
    assert.deepEqual(feed.complaints, []);

    await service.start();
    await eventually(
      () => [...service.events.values()].some((e) => e.interaction_type === "like"),
      "the like's arrival",
      20_000,
    );
  });

  it("returns to recommendations without a reload when the service is back", async () => {
    const feed = await arrive({ user: "user-2" });
    await feed.waitForPosts();
    await service.stop();
    await feed.scroll(2);
    await feed.waitForSource("random_fallback");
    await service.start();

    await feed.scroll(2);

    await feed.waitForSource("ml_recommendations");
    assert.equal(repeats(await feed.ids()), 0);
  });

  it("falls back after three seconds when the service takes five", async () => {
    service.behaviour = { kind: "slow", ms: 5000 };

    const feed = await arrive();
    await feed.waitForPosts();

    const [first] = feed.apiPages;
    assert.equal(first?.source, "random_fallback");
    assert.ok(first.ms >= 2900 && first.ms < 3500, `${first.ms} ms`);
  });

  for (const behaviour of [{ kind: "status", status: 503 }, { kind: "broken json" }] as const) {
    it(`falls back when the service answers with ${Object.values(behaviour).join(" ")}`, async () => {
      service.behaviour = behaviour;

      const feed = await arrive();
      await feed.waitForPosts();

      assert.equal(await feed.source(), "random_fallback");
      assert.match(await feed.page.locator(".source-note").innerText(), /mix meanwhile/);
      assert.deepEqual(feed.complaints, []);
    });
  }

  it("says kindly that the database is away, and recovers by itself", async () => {
    await postgres.stop();
    const feed = await arrive();
    await feed.page.getByText("The feed is resting for a moment").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await postgres.restart();

    await feed.waitForPosts();
    assert.equal(await feed.page.getByText("The feed is resting").count(), 0);
    assert.deepEqual(feed.complaints, []);
  });

  it("keeps what is on the page when the database goes away in the middle of a scroll", async () => {
    const feed = await arrive();
    await feed.waitForPosts();
    await feed.page.waitForTimeout(300); // the first page is in place, and nothing is being fetched
    await postgres.stop();
    const shown = (await feed.ids()).length;
    await feed.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    await feed.page.getByText("More posts in a moment").waitFor();
    assert.ok((await feed.ids()).length >= shown);

    await postgres.restart();

    await feed.scroll(1);
    assert.equal(repeats(await feed.ids()), 0);
  });

  it("leaves hidden and deleted posts out of the shuffle", async () => {
    const [hidden = "", deleted = ""] = catalogue.slice(-2);
    await query("UPDATE posts SET visible = false WHERE id = $1", [hidden]);
    await query("DELETE FROM posts WHERE id = $1", [deleted]);
    service.behaviour = { kind: "status", status: 503 };

    const feed = await arrive();
    await feed.waitForPosts();
    while (!(await feed.page.getByText("You are all caught up").count())) await feed.scroll(1);
    const ids = await feed.ids();

    assert.deepEqual([ids.includes(hidden), ids.includes(deleted), repeats(ids)], [false, false, 0]);
    assert.ok(ids.length > 300);
    await query("UPDATE posts SET visible = true WHERE id = $1", [hidden]);
    catalogue = catalogue.filter((id) => id !== deleted);
  });

  it("says when everything new is shown, and goes on with posts met before when asked to", async () => {
    service.catalogue = catalogue.slice(0, 30);
    for (const id of catalogue.slice(25, 30)) {
      service.events.set(id, { user_id: "user-3", post_id: id, interaction_type: "view" });
    }
    const feed = await arrive({ user: "user-3" });
    await feed.waitForPosts();
    await feed.scroll(1);
    await feed.page.getByText("You are all caught up").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.page.getByRole("button", { name: "Show posts I have met before" }).click();
    await feed.waitForPosts(30);

    assert.equal(repeats(await feed.ids()), 0);
    assert.equal(
      await feed.page.getByRole("feed", { name: "Posts you have met before" }).locator("article").count(),
      5,
    );
  });

  it("does not offer a viewed post again after a reload", async () => {
    const feed = await arrive({ user: "user-4" });
    await feed.waitForPosts();
    const [viewed = ""] = await feed.ids();
    await feed.page.waitForTimeout(1300); // a view counts after a second

    await feed.reload();
    await feed.waitForPosts();

    assert.equal((await feed.ids()).includes(viewed), false);
    const views = [...service.events.values()].filter((event) => event.post_id === viewed);
    assert.deepEqual(
      views.map(({ interaction_type }) => interaction_type),
      ["view"],
    );
    assert.ok(Number(views[0]?.metadata?.["dwell_time_ms"]) >= 1000);
  });

  it("counts once what it had to send twice", async () => {
    const feed = await arrive({ user: "user-5" });
    await feed.waitForPosts();
    await feed.page.route("**/api/events", async (route) => {
      await route.fetch(); // the server stores it, but its answer never arrives
      await route.abort().catch(() => undefined); // the page may be gone by now
    });
    await feed.page.locator("article .like").first().click();
    await eventually(() => service.events.size > 0, "the first delivery");
    await feed.page.unroute("**/api/events");
    const stored = service.events.size;

    await feed.reload();
    await feed.waitForPosts();
    await eventually(
      () => feed.page.evaluate(() => Object.keys(localStorage).every((key) => !key.startsWith("feed-event:"))),
      "an empty queue",
    );

    const likes = [...service.events.values()].filter((event) => event.interaction_type === "like");
    assert.equal(likes.length, 1);
    assert.ok(service.deliveries > stored);
  });

  it("opens the reason for a post by keyboard, and closes it again", async () => {
    const feed = await arrive();
    await feed.waitForPosts();
    const why = feed.page.locator(".why-button").first();
    await why.focus();

    await feed.page.keyboard.press("Enter");
    const dialog = feed.page.getByRole("dialog", { name: "Why this post" });
    await dialog.waitFor();

    assert.match(await dialog.innerText(), /Many people are engaging/);
    assert.equal(await feed.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Close");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await why.evaluate((button) => button === document.activeElement), true);
  });

  it("goes from post to post with Page Down and Page Up", async () => {
    const feed = await arrive();
    await feed.waitForPosts();
    const focused = () => feed.page.evaluate(() => document.activeElement?.getAttribute("aria-posinset"));
    await feed.posts.first().focus();

    await feed.page.keyboard.press("PageDown");
    await feed.page.keyboard.press("PageDown");
    assert.equal(await focused(), "3");
    await feed.page.keyboard.press("PageUp");

    assert.equal(await focused(), "2");
  });

  it("likes, comments and shares, and tells the service of each", async () => {
    const feed = await arrive({ user: "user-6", permissions: ["clipboard-write"] });
    await feed.waitForPosts();
    const post = feed.posts.first();
    const id = await post.getAttribute("data-post");

    await post.getByRole("button", { name: /^Like/ }).click();
    await post.getByRole("button", { name: /^Share/ }).click();
    await post.getByRole("button", { name: /^Comments/ }).click();
    await post.getByLabel("Your comment").fill("Well said");
    await post.getByRole("button", { name: "Post", exact: true }).click();
    await eventually(() => service.events.size >= 3, "the three events");

    const events = [...service.events.values()].filter((event) => event.interaction_type !== "view");
    assert.deepEqual(events.map((event) => event.interaction_type).sort(), ["comment", "like", "share"]);
    assert.ok(events.every((event) => event.post_id === id && event.user_id === "user-6" && event.request_id));
    assert.equal(events.find((event) => event.interaction_type === "comment")?.metadata?.["text"], "Well said");
    assert.equal(await post.getByRole("button", { name: /^Like/ }).getAttribute("aria-pressed"), "true");
    assert.match(await post.innerText(), /Well said/);
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  it("asks the service for the list that was switched to", async () => {
    const feed = await arrive();
    await feed.waitForPosts();

    await feed.page.getByRole("radio", { name: "For you" }).focus();
    await feed.page.keyboard.press("ArrowRight");
    await eventually(() => feed.apiPages.length >= 2, "a page of followed authors");
    await feed.page.keyboard.press("ArrowRight");
    await eventually(() => feed.apiPages.length >= 3, "a page of the newest");

    const modes = service.requests
      .filter(({ path }) => path === "/recommendations/generate")
      .map(({ body }) => (body as { context: { mode: string } }).context.mode);
    assert.deepEqual([...new Set(modes)], ["ranked", "following", "newest"]);
  });

  it("gives users outside the ranked share the newest posts, and says so to the service", async () => {
    const rolledBack = await WebServer.start({
      DATABASE_URL: postgres.url,
      ML_SERVICE_URL: service.url,
      FEED_PERCENT: "0",
    });
    context = await browser.newContext();

    const feed = await FeedPage.open(context, rolledBack.url);
    await feed.waitForPosts();
    await feed.scroll(1);
    await rolledBack.stop();

    const modes = service.requests
      .filter(({ path }) => path === "/recommendations/generate")
      .map(({ body }) => (body as { context: { mode: string } }).context.mode);
    assert.deepEqual([...new Set(modes)], ["newest"]);
  });

  it("makes a visitor a user of the product with his first event", async () => {
    service.knownUsers = new Set();
    const feed = await arrive();
    await feed.waitForPosts();
    const visitor = (await context.cookies()).find(({ name }) => name === "feed_user")?.value ?? "";

    await feed.page.locator("article .like").first().click();
    await eventually(
      async () => (await query("SELECT 1 FROM users WHERE external_id = $1", [visitor])).length === 1,
      "his row",
    );
    service.knownUsers.add(visitor);

    await eventually(() => [...service.events.values()].some((event) => event.interaction_type === "like"), "his like");
    const [row] = await query<{ id: string }>("SELECT id FROM users WHERE external_id = $1", [visitor]);
    assert.equal(row?.id, userUuid(visitor));
  });

  it("becomes another user of the demo, whose events stay apart", async () => {
    const feed = await arrive({ user: "user-7" });
    await feed.waitForPosts();
    await feed.page.locator("article .like").first().click();

    await feed.page.getByRole("button", { name: /Switch user/ }).click();
    await feed.page.getByLabel("Find a user").fill("user-8");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.locator(".users li button").first().click();
    await eventually(
      async () => (await context.cookies()).some(({ name, value }) => name === "feed_user" && value === "user-8"),
      "the new session",
    );
    await feed.waitForPosts();

    const likes = [...service.events.values()].filter((event) => event.interaction_type === "like");
    assert.deepEqual(
      likes.map((event) => event.user_id),
      ["user-7"],
    );
  });

  it("asks for a new list when another tab has switched users", async () => {
    const feed = await arrive({ user: "user-10" });
    await feed.waitForPosts();
    await context.addCookies([{ name: "feed_user", value: "user-11", url: web.url }]);
    await feed.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));

    await feed.page.getByRole("button", { name: "Load a new one" }).click();
    await feed.page
      .getByRole("button", { name: /Dora|Eli|Fay|Ada|Ben|Chi/ })
      .first()
      .waitFor();
    await feed.waitForPosts();

    const last = service.requests.filter(({ path }) => path === "/recommendations/generate").at(-1);
    assert.equal((last?.body as { user_id: string }).user_id, "user-11");
  });

  it("shows a post on a page of its own, and counts the click that led there", async () => {
    const feed = await arrive({ user: "user-9" });
    await feed.waitForPosts();
    const id = await feed.posts.first().getAttribute("data-post");

    await feed.posts.first().locator("a.when").click();
    await feed.page.waitForURL(`**/post/${id}`);
    await feed.page.getByLabel("Your comment").waitFor();

    await eventually(
      () => [...service.events.values()].some((event) => event.interaction_type === "click"),
      "the click",
    );
    assert.deepEqual(await feed.accessibilityViolations(), []);
  });

  for (const [name, options] of [
    ["on a desk", {}],
    ["in the dark", { colorScheme: "dark" }],
    ["on a phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
  ] as const) {
    it(`has nothing for axe to complain about ${name}`, async () => {
      const feed = await arrive(options);
      await feed.waitForPosts();

      assert.deepEqual(await feed.accessibilityViolations(), []);
    });

    it(`shows the operator state, models and lists ${name}, without complaints from axe`, async () => {
      const feed = await arrive(options);
      await feed.page.goto(feed.address("/operator?user=user-1"));

      for (const list of ["Ranked", "Newest", "Trending"]) {
        assert.ok((await feed.page.getByRole("region", { name: list, exact: true }).locator("li").count()) > 0, list);
      }
      assert.match(await feed.page.locator(".tiles").innerText(), /healthy/);
      assert.deepEqual(await feed.accessibilityViolations(), []);
    });
  }

  it("fits a phone: nothing is wider than the screen", async () => {
    const feed = await arrive({ viewport: { width: 360, height: 740 }, isMobile: true });
    await feed.waitForPosts();

    const [width, screen] = await feed.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);

    assert.equal(width, screen);
  });

  it("is interactive within two seconds, with at most 200 kB of compressed script", async () => {
    const warm = await arrive();
    await warm.waitForPosts();
    await context.close();

    context = await browser.newContext();
    const page = await context.newPage();
    const scripts: Promise<number>[] = [];
    page.on("requestfinished", (request) => {
      if (request.resourceType() === "script") scripts.push(request.sizes().then((sizes) => sizes.responseBodySize));
    });
    const started = performance.now();
    await page.goto(web.url);
    await page.locator("article .like").first().click();
    await page.locator("article .like[aria-pressed=true]").first().waitFor();
    const ms = performance.now() - started;
    await page.waitForLoadState("networkidle");
    const scriptBytes = (await Promise.all(scripts)).reduce((sum, bytes) => sum + bytes, 0);

    assert.ok(ms <= 2000, `${Math.round(ms)} ms`);
    assert.ok(scriptBytes > 20_000 && scriptBytes <= 200_000, `${scriptBytes} bytes of script`);
    console.log(`interactive after ${Math.round(ms)} ms, ${Math.round(scriptBytes / 1000)} kB of compressed script`);
  });
});
