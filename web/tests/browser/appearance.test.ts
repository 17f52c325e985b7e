/** How pages look, compared with pictures: `npm run test:browser -- appearance --update-snapshots` replaces them. */
import { FakeFeedService } from "@feed/client/testing";
import { type Browser, expect, test } from "@playwright/test";
import { findChromium, openBrowser } from "@/tests/support/browser";
import { FeedPage } from "@/tests/support/feed-page";
import { Postgres } from "@/tests/support/postgres";
import { browserCookie } from "@/tests/support/session";
import { loadSmallFeed } from "@/tests/support/small-feed";
import { WebServer } from "@/tests/support/web-server";

test.skip(findChromium() === null, "no Chromium on this machine");

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const PAGES = { feed: () => "/", post: (posts: string[]) => `/post/${posts[1]}` };

test.describe("the look of", () => {
  let postgres: Postgres;
  let web: WebServer;
  let browser: Browser;
  let posts: string[];
  const service = new FakeFeedService();

  test.beforeAll(async () => {
    [postgres, browser] = await Promise.all([Postgres.start(), openBrowser(), service.start()]);
    posts = (await loadSmallFeed(postgres.url)).postIds;
    service.catalogue = posts;
    web = await WebServer.start({ DATABASE_URL: postgres.url, ML_SERVICE_URL: service.url });
  });
  test.afterAll(async () => {
    await Promise.allSettled([browser?.close(), web?.stop(), service.stop()]);
    await postgres?.end();
  });

  for (const [name, pathOf] of Object.entries(PAGES))
    for (const [size, viewport] of Object.entries(SIZES))
      for (const colorScheme of ["light", "dark"] as const)
        test(`the ${name} on a ${size}, ${colorScheme}`, async () => {
          const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
          try {
            await context.addCookies([await browserCookie("user-1", web.url)]);
            const feed = await FeedPage.open(context, new URL(pathOf(posts), web.url).href);
            await feed.waitForPosts();
            await feed.page.evaluate(() => document.fonts.ready);

            await expect(feed.page).toHaveScreenshot(`${name}-${size}-${colorScheme}.png`);
          } finally {
            await context.close();
          }
        });
});
