import type { Browser, BrowserContextOptions, Page } from "@playwright/test";

/** A device and its connection. Speeds are in bits per second. */
export interface Profile {
  options: BrowserContextOptions;
  cpuSlowdown: number;
  network: { latencyMs: number; down: number; up: number } | null;
}

export const DESKTOP: Profile = {
  options: { viewport: { width: 1350, height: 940 } },
  cpuSlowdown: 1,
  network: null,
};
/** The mobile profile of Lighthouse. */
export const MOBILE: Profile = {
  options: { viewport: { width: 412, height: 823 }, deviceScaleFactor: 1.75, isMobile: true, hasTouch: true },
  cpuSlowdown: 4,
  network: { latencyMs: 150, down: 1_638_400, up: 750_000 },
};

export interface Load {
  /** The largest contentful paint, in milliseconds after the start of the navigation. */
  lcpMs: number;
  /** The time to the first byte of the page: the part of the server. */
  firstByteMs: number;
  /** The compressed scripts, without headers, that were transferred before the first like was on screen. */
  scriptBytes: number;
}

/** Loads a page of a new visitor with an empty cache, and likes its first post. */
export async function measureLoad(browser: Browser, url: string, profile: Profile): Promise<Load> {
  const context = await browser.newContext(profile.options);
  try {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    const { network } = profile;
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: profile.cpuSlowdown });
    await devtools.send("Network.enable");
    if (network) {
      await devtools.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: network.latencyMs,
        downloadThroughput: network.down / 8,
        uploadThroughput: network.up / 8,
      });
    }
    const scripts: Promise<number>[] = [];
    page.on("requestfinished", (request) => {
      if (request.resourceType() === "script") scripts.push(request.sizes().then((sizes) => sizes.responseBodySize));
    });
    await page.goto(url);
    await page.waitForTimeout(1000); // a later image or font could be larger
    const lcpMs = await readLcp(page);
    const firstByteMs = await page.evaluate(
      () => (performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming).responseStart,
    );
    await page.locator("article .like").first().click();
    await page.locator("article .like[aria-pressed=true]").first().waitFor();
    return { lcpMs, firstByteMs, scriptBytes: (await Promise.all(scripts)).reduce((sum, bytes) => sum + bytes, 0) };
  } finally {
    await context.close();
  }
}

async function readLcp(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const observer = new PerformanceObserver((list) => {
          observer.disconnect();
          resolve(list.getEntries().at(-1)?.startTime ?? Number.POSITIVE_INFINITY);
        });
        observer.observe({ type: "largest-contentful-paint", buffered: true });
      }),
  );
}

/** The time from a click on the like button of a post on screen to the end of the frame that shows it. */
export async function measureLike(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const button = [...document.querySelectorAll<HTMLElement>("article .like[aria-pressed=false]")].find((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return top >= 100 && bottom <= innerHeight;
    });
    if (!button) throw new Error("no post on screen that can be liked");
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const startedAt = performance.now();
    button.click();
    await new Promise((resolve) => requestAnimationFrame(resolve));
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(); // runs after the frame is painted
      port2.postMessage(null);
    });
    const elapsedMs = performance.now() - startedAt;
    if (button.getAttribute("aria-pressed") !== "true") throw new Error("the like is not on screen after a frame");
    return elapsedMs;
  });
}

/** The nodes of the document: elements, texts and comments. */
export async function countNodes(page: Page): Promise<number> {
  return page.evaluate(() => {
    const nodes = document.createTreeWalker(document);
    let count = 1;
    while (nodes.nextNode()) count += 1;
    return count;
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
