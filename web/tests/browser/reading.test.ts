/** What posts look like: long texts, links, pictures and shared links, with a real PostgreSQL and a fake service. */
import assert from "node:assert/strict";
import { type BrowserContextOptions, test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const LONG_TEXT = Array.from({ length: 40 }, (_, line) => `Line ${line} of a diary that goes on.`).join("\n");
const LINKED_TEXT = "By @ada on #tea: https://outside.example/a/long/path?with=parameters#and-more.";
const [LONG, LINKED, PICTURED, RIGHT_TO_LEFT, HIDDEN] = [0, 1, 2, 3, 30] as const;

test.describe("posts", () => {
  let ids: string[];
  const application = useSmallApplication(async ({ postgres, postIds }) => {
    ids = postIds;
    const write = (index: number, text: string) =>
      postgres.query("UPDATE posts SET content = $1 WHERE id = $2", [text, ids[index]]);
    await write(LONG, LONG_TEXT);
    await write(LINKED, LINKED_TEXT);
    await write(RIGHT_TO_LEFT, `שלום ${"עולם ".repeat(400)}`);
    await postgres.query(
      `INSERT INTO post_media SELECT $1, n, '/pictures/' || picture || '.svg', 800, 450, 'Drawing of ' || picture
       FROM unnest(ARRAY['books', 'travel', 'music']) WITH ORDINALITY AS p (picture, n)`,
      [ids[PICTURED]],
    );
    await postgres.query("UPDATE posts SET visibility = 'followers' WHERE id = $1", [ids[HIDDEN]]);
  });

  const { service } = application;
  const openFeed = (options: BrowserContextOptions = {}, path = "/") => application.open(path, options);

  test("show eight lines of a long text, and the rest by keyboard", async () => {
    const feed = await openFeed();
    const post = feed.posts.nth(LONG);
    const lines = () => post.locator(".content").evaluate((text) => text.clientHeight / 24);
    const heightBefore = await post.evaluate((article) => article.clientHeight);
    const button = post.getByRole("button", { name: "Show more" });
    await button.waitFor();
    assert.deepEqual([await lines(), await post.evaluate((article) => article.clientHeight)], [8, heightBefore]);
    assert.equal(await feed.page.getByRole("button", { name: "Show more" }).count(), 2);

    await button.press("Enter");

    assert.equal(await lines(), 40);
    await post.getByRole("button", { name: "Show less" }).press("Enter");
    assert.equal(await lines(), 8);
    await post.locator("a.when").click();
    await feed.page.waitForURL("**/post/**");
    await feed.page.getByText("Line 39 of a diary").waitFor();
    assert.equal(await feed.page.getByRole("button", { name: "Show more" }).count(), 0);
  });

  test("link what they mention, and request nothing from other sites", async () => {
    const context = await application.newContext();
    const hosts = new Set<string>();
    context.on("request", (request) => hosts.add(new URL(request.url()).host));
    const feed = await FeedPage.open(context, application.url);
    await feed.waitForPosts(20);

    const links = await feed.posts
      .nth(LINKED)
      .locator(".content ~ a, .content a")
      .evaluateAll((all) => all.map((link) => [link.getAttribute("href"), (link as HTMLElement).innerText]));
    const outside = "https://outside.example/a/long/path?with=parameters#and-more";
    assert.deepEqual(links, [
      ["/user/by-name/ada", "@ada"],
      ["/tag/tea", "#tea"],
      [outside, outside],
      [outside, "outside.example\n/a/long/path"],
    ]);
    await feed.page.waitForLoadState("networkidle");
    assert.deepEqual([...hosts], [new URL(application.url).host]);
  });

  test("keep the room of their pictures, so that nothing moves", async () => {
    const context = await application.newContext();
    await context.route("**/pictures/*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await route.continue();
    });
    const feed = await FeedPage.open(context, application.url, { waitUntil: "commit" });
    await feed.waitForPosts(20);
    const pictures = feed.posts.nth(PICTURED).getByRole("img", { name: /^Drawing of/ });
    const sizes = () => pictures.evaluateAll((all) => all.map((image) => image.getBoundingClientRect().height));
    const before = await sizes();

    await feed.page.waitForFunction(() =>
      [...document.querySelectorAll<HTMLImageElement>("article img")].every((image) => image.naturalWidth > 0),
    );

    assert.deepEqual(await sizes(), before);
    assert.equal(before.length, 3);
    const shift = await feed.page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) sum += (entry as unknown as { value: number }).value;
          }).observe({ type: "layout-shift", buffered: true });
          setTimeout(() => resolve(sum), 200);
        }),
    );
    assert.ok(shift < 0.01, `${shift}`);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("say who wrote what in the preview of a shared link, if everybody may see it", async () => {
    // Next.js has the metadata in the head for the robots that it knows, and streams it to browsers.
    const headers = { "User-Agent": "facebookexternalhit/1.1" };
    const html = async (index: number) => (await fetch(`${application.url}/post/${ids[index]}`, { headers })).text();
    const head = (page: string) => page.slice(0, page.indexOf("</head>"));

    const shown = head(await html(LONG));
    assert.match(shown, /<meta property="og:title" content="\w+ \w+ on Strand"/);
    assert.match(shown, /<meta property="og:description" content="Line 0 of a diary that goes on\. Line 1/);
    assert.match(shown, /<meta property="og:type" content="article"/);
    assert.ok(shown.includes(`<meta property="og:url" content="${application.url}/post/${ids[LONG]}"`), shown);
    const hidden = await html(HIDDEN);
    assert.doesNotMatch(hidden, /og:|article:/);
  });

  test("are replaced by a page that says so when the browser is offline", async () => {
    const feed = await openFeed();
    await feed.waitForPosts(20);
    await feed.page.evaluate(() => navigator.serviceWorker.ready);
    await application.context.setOffline(true);
    await feed.page.getByText("You are offline.").waitFor();

    await feed.page.goto(feed.urlOf("/?feed=newest"));
    await feed.page.getByRole("heading", { name: "You are offline" }).waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await application.context.setOffline(false);
    const pagesBefore = service.requests.filter(({ path }) => path === "/recommendations/generate").length;
    await feed.page.getByRole("link", { name: "Try again" }).click();

    await feed.waitForPosts(20);
    assert.equal(new URL(feed.page.url()).search, "?feed=newest");
    const pages = service.requests.filter(({ path }) => path === "/recommendations/generate").length;
    assert.equal(pages - pagesBefore, 1); // the server has rendered the list
    assert.equal(feed.apiPages.length, 0);
  });
});
