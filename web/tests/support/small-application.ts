import { FakeFeedService } from "@feed/client/testing";
import { type Browser, type BrowserContext, type BrowserContextOptions, type Page, test } from "@playwright/test";
import { openBrowser } from "./browser";
import { FeedPage } from "./feed-page";
import { Postgres } from "./postgres";
import { browserCookie } from "./session";
import { loadSmallFeed } from "./small-feed";
import { WebServer } from "./web-server";

interface VisitOptions extends BrowserContextOptions {
  /** A user of the feed; without one, a new visitor. */
  user?: string;
}

/** The built application over the fixed feed of `loadSmallFeed`, a fake recommendation service, and a browser. */
export class SmallApplication {
  readonly service = new FakeFeedService();
  postgres!: Postgres;
  browser!: Browser;
  /** The posts of the feed, in the order in which the service recommends them. */
  postIds: string[] = [];
  /** Of the last visit. */
  context!: BrowserContext;
  private web: WebServer | undefined;

  get url(): string {
    if (!this.web) throw new Error("the application is not started");
    return this.web.url;
  }

  urlOf(path: string): string {
    return new URL(path, this.url).href;
  }

  /** `prepare` changes the feed before the application starts. */
  async start(prepare?: (application: SmallApplication) => Promise<void>): Promise<void> {
    [this.postgres, this.browser] = await Promise.all([Postgres.start(), openBrowser(), this.service.start()]);
    this.postIds = (await loadSmallFeed(this.postgres.url)).postIds;
    this.service.catalogue = this.postIds;
    await prepare?.(this);
    this.web = await WebServer.start({ DATABASE_URL: this.postgres.url, ML_SERVICE_URL: this.service.url });
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.browser?.close(), this.web?.stop(), this.service.stop()]);
    await this.postgres?.end();
  }

  /** A browser context of its own for a visit. Its pages show the application when they open it. */
  async newContext({ user, ...options }: VisitOptions = {}): Promise<BrowserContext> {
    this.context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    if (user) await this.context.addCookies([await browserCookie(user, this.url)]);
    return this.context;
  }

  /** Opens a page in a context of its own. */
  async open(path = "/", options: VisitOptions = {}, goto: Parameters<Page["goto"]>[1] = {}): Promise<FeedPage> {
    return FeedPage.open(await this.newContext(options), this.urlOf(path), goto);
  }
}

/** Starts an application for the tests of the enclosing suite. The contexts of a test are closed after it. */
export function useSmallApplication(prepare?: (application: SmallApplication) => Promise<void>): SmallApplication {
  const application = new SmallApplication();
  test.beforeAll(() => application.start(prepare));
  test.afterAll(() => application.end());
  test.afterEach(async () => {
    await Promise.all(application.browser.contexts().map((context) => context.close()));
  });
  return application;
}
