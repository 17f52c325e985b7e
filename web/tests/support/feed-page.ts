import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { BrowserContext, Locator, Page } from "@playwright/test";
import { CHECKOUT } from "./postgres";

const AXE = readFileSync(path.join(CHECKOUT, "node_modules", "axe-core", "axe.min.js"), "utf8");
const TIMEOUT_MS = 10_000;

/** The feed page in a browser, with the actions of a user. */
export class FeedPage {
  /** The errors in the console of the browser, except failed requests, which some tests cause on purpose. */
  readonly consoleErrors: string[] = [];
  /** The pages that `/api/feeds` returned, without the first one, which is in the HTML. */
  readonly apiPages: { source: string; ms: number; ids: string[] }[] = [];

  private constructor(
    readonly page: Page,
    private readonly url: string,
  ) {}

  static async open(
    context: BrowserContext,
    url: string,
    options: Parameters<Page["goto"]>[1] = {},
  ): Promise<FeedPage> {
    const page = await context.newPage();
    const feed = new FeedPage(page, url);
    page.on("pageerror", (error) => feed.consoleErrors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        feed.consoleErrors.push(message.text());
      }
    });
    page.on("response", async (response) => {
      if (!response.url().includes("/api/feeds") || !response.ok()) return;
      const body = (await response.json().catch(() => null)) as { source: string; posts: { id: string }[] } | null;
      await response.finished().catch(() => null);
      const ms = response.request().timing().responseEnd;
      if (body) feed.apiPages.push({ source: body.source, ms, ids: body.posts.map((post) => post.id) });
    });
    await page.goto(url, options);
    return feed;
  }

  get posts() {
    return this.page.locator("article[data-post]");
  }

  async waitForPosts(count = 1): Promise<void> {
    await this.posts.nth(count - 1).waitFor({ state: "attached", timeout: TIMEOUT_MS });
  }

  async ids(): Promise<string[]> {
    return this.page.$$eval("article[data-post]", (articles) =>
      articles.map((article) => article.getAttribute("data-post") ?? ""),
    );
  }

  /** Opens the menu of a post and chooses the entry with this name. */
  async choose(post: Locator, name: string | RegExp): Promise<void> {
    await post.getByRole("button", { name: "More actions" }).click();
    await this.page.getByRole("menuitem", { name }).click();
  }

  /** Scrolls until `count` more pages are loaded. */
  async scroll(count: number): Promise<void> {
    const expectedPages = this.apiPages.length + count;
    const deadline = Date.now() + TIMEOUT_MS + count * 1000;
    while (this.apiPages.length < expectedPages) {
      assert.ok(Date.now() < deadline, `only ${this.apiPages.length} of ${expectedPages} pages were loaded`);
      await this.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await this.page.waitForTimeout(60);
    }
  }

  /** Scrolls to the first post. Posts far from the screen have no controls, so this one has them afterwards. */
  async scrollToTop(): Promise<void> {
    await this.page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
    await this.posts.first().locator(".like").waitFor();
  }

  async source(): Promise<string | null> {
    return this.page.locator(".feed-column").getAttribute("data-source");
  }

  async waitForSource(source: string): Promise<void> {
    await this.page.locator(`.feed-column[data-source="${source}"]`).waitFor({ timeout: TIMEOUT_MS });
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  /** The violations of WCAG 2.2 AA and of the best practices of axe, one line each. */
  async accessibilityViolations(): Promise<string[]> {
    await this.page.evaluate(AXE);
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run: () => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run();
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
    });
  }

  /** The URL of a path of the application. */
  urlOf(path: string): string {
    return new URL(path, this.url).href;
  }
}
