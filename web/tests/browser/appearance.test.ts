import { expect, test } from "@playwright/test";
import { findChromium } from "@/tests/support/browser";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const PAGES = { feed: () => "/", post: (posts: string[]) => `/post/${posts[1]}` };

test.describe("the look of", () => {
  const application = useSmallApplication();

  for (const [name, pathOf] of Object.entries(PAGES))
    for (const [size, viewport] of Object.entries(SIZES))
      for (const colorScheme of ["light", "dark"] as const)
        test(`the ${name} on a ${size}, ${colorScheme}`, async () => {
          const path = pathOf(application.postIds);
          const feed = await application.open(path, { user: "user-1", viewport, colorScheme, reducedMotion: "reduce" });
          await feed.waitForPosts();
          await feed.page.evaluate(() => document.fonts.ready);

          await expect(feed.page).toHaveScreenshot(`${name}-${size}-${colorScheme}.png`);
        });
});
