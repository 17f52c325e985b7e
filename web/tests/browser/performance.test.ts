/** How fast the production build is with the real service, and what a long scroll costs. Prints the figures. */
import assert from "node:assert/strict";
import { type Browser, type BrowserContext, test } from "@playwright/test";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { FeedService } from "@/tests/support/feed-service";
import { countNodes, DESKTOP, type Load, MOBILE, measureLike, measureLoad, median } from "@/tests/support/measurements";
import { Postgres } from "@/tests/support/postgres";
import { WebServer } from "@/tests/support/web-server";

test.skip(findChromium() === null, "no Chromium on this machine");
const RUNS = 7;
const DEPTH = 800;

test.describe("the feed page on the complete system", () => {
  let postgres: Postgres;
  let service: FeedService;
  let web: WebServer;
  let browser: Browser;
  let context: BrowserContext | undefined;

  test.beforeAll(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser()]);
    service = await FeedService.start(postgres.url);
    web = await WebServer.start({ DATABASE_URL: postgres.url, ML_SERVICE_URL: service.url });
  });
  test.afterAll(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service?.end()]);
    await postgres?.end();
  });
  test.afterEach(() => context?.close());

  for (const [name, profile, maxLcpMs] of [
    ["on a desktop", DESKTOP, 600],
    ["on a slow phone", MOBILE, 2500],
  ] as const) {
    test(`has its largest paint ${name} within ${maxLcpMs} ms, with at most 170 kB of script`, async () => {
      await measureLoad(browser, web.url, profile); // warms up the service and the application
      const loads: Load[] = [];
      for (let run = 0; run < RUNS; run += 1) loads.push(await measureLoad(browser, web.url, profile));

      const lcpMs = median(loads.map((load) => load.lcpMs));
      const scriptBytes = median(loads.map((load) => load.scriptBytes));
      const all = loads.map((load) => Math.round(load.lcpMs)).join(" ");
      const firstByteMs = median(loads.map((load) => load.firstByteMs));
      console.log(
        `LCP ${name}: median ${Math.round(lcpMs)} ms of ${all}; first byte ${Math.round(firstByteMs)} ms;`,
        `${(scriptBytes / 1000).toFixed(1)} kB of script`,
      );
      assert.ok(lcpMs <= maxLcpMs, `${lcpMs} ms`);
      assert.ok(scriptBytes > 20_000 && scriptBytes <= 170_000, `${scriptBytes} bytes of script`);
    });
  }

  test(`shows a like within 50 ms after ${DEPTH} posts, with at most 5,000 nodes`, async () => {
    context = await browser.newContext(DESKTOP.options);
    const feed = await FeedPage.open(context, web.url);
    await feed.waitForPosts(20);
    await feed.scroll(DEPTH / 20 - 1);
    await feed.waitForPosts(DEPTH);
    await feed.page.evaluate(() => scrollBy({ top: -2000, behavior: "instant" }));
    await feed.page.waitForTimeout(500);

    const nodes = await countNodes(feed.page);
    const likes: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      likes.push(await measureLike(feed.page));
      await feed.page.evaluate(() => scrollBy({ top: -700, behavior: "instant" }));
      await feed.page.waitForTimeout(300);
    }

    const likeMs = Math.min(...likes); // other processes make frames longer, and nothing makes them shorter
    const posts = (await feed.ids()).length;
    const all = likes.map(Math.round).join(" ");
    console.log(`${posts} posts: ${nodes} nodes, like to paint ${Math.round(likeMs)} ms, the fastest of ${all}`);
    assert.ok(posts >= DEPTH);
    assert.ok(nodes <= 5000, `${nodes} nodes`);
    assert.ok(likeMs <= 50, `${likeMs} ms`);
  });
});
