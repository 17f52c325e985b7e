/** Writing in a real browser, with a real PostgreSQL and a fake service, both of which may be unavailable. */
import assert from "node:assert/strict";
import { type BrowserContextOptions, expect, test } from "@playwright/test";
import { userUuid } from "@/lib/platform/ids";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { browserCookie } from "@/tests/support/session";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const RECOVERY_MS = 60_000;

test.describe("writing", () => {
  const application = useSmallApplication();
  const { service } = application;
  test.beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.events.clear();
  });

  const openFeed = async (user: string, options: BrowserContextOptions = {}): Promise<FeedPage> => {
    const feed = await application.open("/", { user, ...options });
    await feed.waitForPosts();
    return feed;
  };
  const postsOf = (user: string) =>
    application.postgres.query<{
      id: string;
      content: string;
      reply_to: string | null;
      quote_of: string | null;
      repost_of: string | null;
    }>(
      `SELECT id, content, reply_to, quote_of, repost_of FROM posts
       WHERE author_id = $1 AND external_id NOT LIKE 'post-%' ORDER BY created_at`,
      [userUuid(user)],
    );
  const write = async (feed: FeedPage, text: string) => {
    await feed.page.getByRole("link", { name: "New post" }).click();
    await feed.page.getByLabel("Your post").fill(text);
    await feed.page.getByRole("button", { name: "Post", exact: true }).click();
  };
  /** An article that starts on screen and has controls; the identity does not change with the list. */
  const firstPost = async (feed: FeedPage) => {
    const id = await feed.posts.first().getAttribute("data-post");
    return { id, article: feed.page.locator(`article[data-post="${id}"]`) };
  };

  test("publishes a post, which is above the feed and on its own page, and deletes it after a question", async () => {
    const feed = await openFeed("user-1");
    await feed.page.keyboard.press("n");
    await feed.page.getByLabel("Your post").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.page.getByLabel("Your post").fill("Rye #bread at last");
    await feed.page.keyboard.press("Control+Enter");

    await feed.page.getByText("Your post was published.").waitFor();
    await feed.page.waitForURL(application.url + "/");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    assert.deepEqual(
      (await postsOf("user-1")).map(({ content }) => content),
      ["Rye #bread at last"],
    );
    await feed.page.getByRole("link", { name: "View" }).click();
    const own = feed.posts.first();
    await own.getByText("Rye #bread at last").waitFor();
    await feed.choose(own, "Delete post");
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await feed.page.getByText("You deleted this post.").waitFor();
    assert.deepEqual(await postsOf("user-1"), []);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("stores a reply with its event, and counts it", async () => {
    const feed = await openFeed("user-2");
    const { id, article } = await firstPost(feed);
    await article.getByRole("button", { name: "Replies, 0 replies" }).click();

    await article.getByLabel("Your reply").fill("Well said");
    await article.getByRole("button", { name: "Reply", exact: true }).click();

    await article.getByRole("button", { name: "Replies, 1 reply" }).waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);
    const [reply] = await postsOf("user-2");
    assert.equal(reply?.reply_to, id);
    const events = await application.postgres.query(
      "SELECT interaction_type FROM user_interaction WHERE event_id = $1",
      [reply?.id],
    );
    assert.deepEqual(events, [{ interaction_type: "comment" }]);
    await article.getByRole("listitem").getByRole("button", { name: "Delete" }).click();
    await feed.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await article.getByRole("button", { name: "Replies, 0 replies" }).waitFor();
    await expect.poll(() => postsOf("user-2")).toEqual([]);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("reposts a post, takes the repost back, and quotes the post", async () => {
    const feed = await openFeed("user-3");
    const { id, article } = await firstPost(feed);
    const choose = async (name: string) => {
      await article.getByRole("button", { name: /^Repost/ }).click();
      await feed.page.getByRole("menuitem", { name }).click();
    };

    await choose("Repost");
    await article.getByRole("button", { name: "Repost, 1 share, reposted by you" }).waitFor();
    // The page shows a change before it is stored.
    await expect.poll(async () => (await postsOf("user-3")).map(({ repost_of }) => repost_of)).toEqual([id]);
    await choose("Undo repost");
    await article.getByRole("button", { name: "Repost, 0 shares", exact: true }).waitFor();
    await expect.poll(() => postsOf("user-3")).toEqual([]);
    await choose("Quote");
    await feed.page.getByLabel("Your comment on the quoted post").fill("Look at this");
    await feed.page.locator("blockquote").waitFor();
    assert.deepEqual(await feed.accessibilityViolations(), []);
    await feed.page.getByRole("button", { name: "Post", exact: true }).click();
    await feed.page.getByRole("link", { name: "View" }).click();

    await feed.posts.first().locator("blockquote").waitFor();
    assert.deepEqual(
      (await postsOf("user-3")).map(({ content, quote_of }) => [content, quote_of]),
      [["Look at this", id]],
    );
    assert.deepEqual(await feed.accessibilityViolations(), []);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("marks what is not sent yet, also after a reload, and delivers it once after the recovery", async () => {
    const feed = await openFeed("user-4");
    const { id, article } = await firstPost(feed);
    await article.getByRole("button", { name: /^Replies/ }).click();
    await article.getByText("No replies yet.").waitFor();
    await application.postgres.stop();
    service.behaviour = { kind: "status", status: 503 };

    await article.getByRole("button", { name: /^Like/ }).click();
    await article.getByLabel("Your reply").fill("A late reply");
    await article.getByRole("button", { name: "Reply", exact: true }).click();
    await article.getByText("Not sent yet.").waitFor();
    await write(feed, "A late post");
    await feed.page.getByText("2 posts and 1 action not sent yet").waitFor();
    assert.equal(await feed.page.getByText("A late reply").count(), 1);
    assert.equal(await feed.page.getByText(/was published|Reply posted/).count(), 0);
    assert.deepEqual(await feed.accessibilityViolations(), []);

    await feed.reload();
    await feed.page.getByText("2 posts and 1 action not sent yet").waitFor();
    assert.equal(await feed.page.getByText("Not sent yet.").count(), 2);
    await application.postgres.restart();
    service.behaviour = { kind: "healthy" };

    await feed.page.getByText("not sent yet").first().waitFor({ state: "detached", timeout: RECOVERY_MS });
    const written = (await postsOf("user-4")).map(({ content, reply_to }) => [content, reply_to]);
    assert.deepEqual(written.sort(), [
      ["A late post", null],
      ["A late reply", id],
    ]);
    const likes = [...service.events.values()].filter(({ interaction_type }) => interaction_type === "like");
    assert.deepEqual(
      likes.map(({ post_id, user_id }) => [post_id, user_id]),
      [[id, "user-4"]],
    );
    const comments = await application.postgres.query(
      "SELECT post_id FROM user_interaction WHERE user_id = $1 AND interaction_type = 'comment' AND event_id IS NOT NULL",
      [userUuid("user-4")],
    );
    assert.deepEqual(comments, [{ post_id: id }]);
    assert.deepEqual(feed.consoleErrors, []);
  });

  test("does not send what another user wrote in the same browser", async () => {
    const feed = await openFeed("user-5");
    await application.postgres.stop();
    await write(feed, "Of user 5");
    await feed.page.getByText("1 post not sent yet").waitFor();
    await application.postgres.restart();
    await application.context.clearCookies();
    await application.context.addCookies([await browserCookie("user-6", application.url)]);

    await feed.page.goto(application.url);
    await feed.waitForPosts();
    await write(feed, "Of user 6");
    await feed.page.getByText("Your post was published.").waitFor();
    const contents = async (user: string) => (await postsOf(user)).map(({ content }) => content);
    assert.deepEqual([await contents("user-5"), await contents("user-6")], [[], ["Of user 6"]]);
    await application.context.addCookies([await browserCookie("user-5", application.url)]);
    await feed.page.goto(application.url);
    await feed.page.getByText("Your post was published").first().waitFor();

    assert.deepEqual([await contents("user-5"), await contents("user-6")], [["Of user 5"], ["Of user 6"]]);
  });

  test("disables the button for a text that is too long", async () => {
    const feed = await openFeed("user-7");
    await feed.page.goto(feed.urlOf("/compose"));

    await feed.page.getByLabel("Your post").fill("x".repeat(2001));

    await feed.page.getByText("1 character too many").waitFor();
    assert.ok(await feed.page.getByRole("button", { name: "Post", exact: true }).isDisabled());
  });
});
