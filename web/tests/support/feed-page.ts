import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { CHECKOUT } from "./postgres";

const AXE = readFileSync(path.join(CHECKOUT, "node_modules", "axe-core", "axe.min.js"), "utf8");
const PATIENCE_MS = 10_000;

/** The feed as somebody in front of the screen meets it. */
export class FeedPage {
  /** What the page complained about in the browser's console, failed requests of our own fault tests aside. */
  readonly complaints: string[] = [];
  readonly apiPages: { source: string; ms: number; ids: string[] }[] = [];

  private constructor(
    readonly page: Page,
    private readonly url: string,
  ) {}

  static async open(context: BrowserContext, url: string): Promise<FeedPage> {
    const page = await context.newPage();
    const feed = new FeedPage(page, url);
    page.on("pageerror", (error) => feed.complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        feed.complaints.push(message.text());
      }
    });
    page.on("response", async (response) => {
      if (!response.url().includes("/api/feeds") || !response.ok()) return;
      const body = (await response.json().catch(() => null)) as { source: string; posts: { id: string }[] } | null;
      await response.finished().catch(() => null);
      const ms = response.request().timing().responseEnd;
      if (body) feed.apiPages.push({ source: body.source, ms, ids: body.posts.map((post) => post.id) });
    });
    await page.goto(url);
    return feed;
  }

  get posts() {
    return this.page.locator("article");
  }

  async waitForPosts(count = 1): Promise<void> {
    await this.posts.nth(count - 1).waitFor({ state: "attached", timeout: PATIENCE_MS });
  }

  async ids(): Promise<string[]> {
    return this.page.$$eval("article", (articles) =>
      articles.map((article) => article.getAttribute("data-post") ?? ""),
    );
  }

  /** Scrolls until `count` more pages have arrived. */
  async scroll(count: number): Promise<void> {
    const wanted = this.apiPages.length + count;
    const deadline = Date.now() + PATIENCE_MS + count * 1000;
    while (this.apiPages.length < wanted) {
      assert.ok(Date.now() < deadline, `page ${this.apiPages.length} of ${wanted} is the last that came`);
      await this.page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      await this.page.waitForTimeout(60);
    }
  }

  async source(): Promise<string | null> {
    return this.page.locator(".feed-column").getAttribute("data-source");
  }

  async waitForSource(source: string): Promise<void> {
    await this.page.locator(`.feed-column[data-source="${source}"]`).waitFor({ timeout: PATIENCE_MS });
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  /** Violations of WCAG 2.2 AA and axe's best practices, one line each. */
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

  address(to: string): string {
    return new URL(to, this.url).href;
  }
}
