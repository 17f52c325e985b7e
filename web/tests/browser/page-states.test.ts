/** All states of pages, in light and dark, from the smallest phone to a desktop, with a fake recommendation service. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { userUuid } from "@/lib/platform/ids";
import { findChromium } from "@/tests/support/browser";
import type { FeedPage } from "@/tests/support/feed-page";
import { findProblemsOfLooks } from "@/tests/support/looks";
import { OPERATOR_KEY } from "@/tests/support/session";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const VIEWER = "user-8";
const LONG_TEXT = Array.from({ length: 40 }, (_, line) => `Line ${line} of a diary that goes on.`).join("\n");
const LONG_WORD = "a-very-long-word-".repeat(5);
const MUTED_WORD = "a-muted-word-".repeat(6);

interface PageState {
  path: string | (() => string);
  /** The user of the session; null for a new visitor. Default: `VIEWER`. */
  user?: string | null;
  /** Whether the recommendation service is away. */
  serviceIsAway?: boolean;
  /** What the user does before the page is looked at. */
  act?: (feed: FeedPage) => Promise<void>;
}

test.describe("without a violation of axe and nothing cut, light and dark, from 320 to 1280 px:", () => {
  let thread: string;
  const application = useSmallApplication(async ({ postgres, postIds }) => {
    const [long, linked, pictured, rightToLeft, wide] = postIds;
    const write = (id: string | undefined, text: string) =>
      postgres.query("UPDATE posts SET content = $1 WHERE id = $2", [text, id]);
    await write(long, LONG_TEXT);
    await write(linked, `By @ada on #tea: https://outside.example/a/${LONG_WORD}?with=parameters#and-more.`);
    await write(rightToLeft, `שלום ${"עולם ".repeat(400)}`);
    await write(wide, LONG_WORD);
    await postgres.query("UPDATE posts SET tags = $1 WHERE id = $2", [[LONG_WORD, "maps"], wide]);
    await postgres.query(
      `INSERT INTO post_media SELECT $1, n, '/pictures/' || picture || '.svg', 800, 450, 'Drawing of ' || picture
       FROM unnest(ARRAY['books', 'travel', 'music']) WITH ORDINALITY AS p (picture, n)`,
      [pictured],
    );
    await postgres.query(
      `INSERT INTO user_feedback (user_id, action, author_id, word)
       VALUES ($1, 'mute_author', $2, NULL), ($1, 'block_author', $3, NULL), ($1, 'mute_word', NULL, $4)`,
      [userUuid(VIEWER), userUuid("user-9"), userUuid("user-10"), MUTED_WORD],
    );
    const add = async (author: string, text: string, replyTo: string | null) => {
      const [row] = await postgres.query<{ id: string }>(
        `INSERT INTO posts (external_id, author_id, content, reply_to, root_id)
         VALUES (gen_random_uuid(), $1, $2, $3, $3) RETURNING id`,
        [userUuid(author), text, replyTo],
      );
      return row?.id ?? "";
    };
    thread = await add("user-20", "An answer about quokkas", await add("user-21", "A question about quokkas", null));
    await add("user-2", LONG_WORD, await add("user-1", "A reply", thread));
  });

  const STATES: Record<string, PageState> = {
    "the ranked feed": { path: "/" },
    "the feed of a new visitor": { path: "/", user: null },
    "the feed of followed people": { path: "/?feed=following" },
    "the newest posts": { path: "/?feed=newest" },
    "fallback posts": { path: "/", serviceIsAway: true },
    "a post in its thread": { path: () => `/post/${thread}`, act: (feed) => feed.waitForPosts(4) },
    "a text that is too long": {
      path: () => `/compose?quote=${thread}`,
      act: async ({ page }) => {
        await page.getByLabel("Your comment on the quoted post").fill("x".repeat(2001));
        await page.getByText("1 character too many").waitFor();
      },
    },
    "a reply in the feed": {
      path: "/",
      act: async ({ posts, page }) => {
        await posts
          .nth(1)
          .getByRole("button", { name: /^Replies/ })
          .click();
        await page.getByLabel("Your reply").waitFor();
      },
    },
    "a hidden post": { path: "/", act: (feed) => feed.choose(feed.posts.nth(1), "Hide this post") },
    "the keys": {
      path: "/",
      act: async ({ page }) => {
        await page.keyboard.press("?");
        await page.getByRole("dialog").waitFor();
      },
    },
    "a profile": { path: "/user/user-7" },
    "a muted profile": { path: "/user/user-9" },
    followers: { path: "/user/user-7/followers" },
    "a tag": { path: "/tag/sourdough" },
    "found posts and people": { path: "/search?q=stone" },
    "an empty search": { path: `/search?q=${LONG_WORD}` },
    "recently seen posts": { path: "/seen" },
    likes: { path: "/likes" },
    settings: { path: "/settings" },
    "a muted author in the settings": {
      path: "/settings?form=controls&result=saved&action=mute_author&target=user-9&undo=on#result",
    },
    "settings that could not be saved": { path: "/settings?form=reading&result=unavailable&languages=de#result" },
    "the choice of interests": { path: "/welcome" },
    "too few interests": { path: "/welcome?form=interests&result=invalid&tags=garden#result" },
    "traffic in the operator console": { path: "/operator" },
    "models in the operator console": { path: "/operator/models" },
    "experiments in the operator console": { path: "/operator/experiments" },
    "a user in the operator console": { path: "/operator/user?user=user-1" },
    "a page that does not exist": { path: "/nowhere" },
    "the offline page": { path: "/offline.html" },
  };

  for (const [name, { path, user = VIEWER, serviceIsAway = false, act }] of Object.entries(STATES)) {
    test(name, async () => {
      application.service.behaviour = serviceIsAway ? { kind: "status", status: 503 } : { kind: "healthy" };
      const feed = await application.open(typeof path === "string" ? path : path(), {
        ...(user !== null && { user }),
        httpCredentials: { username: "operator", password: OPERATOR_KEY },
      });
      await feed.page.waitForLoadState("networkidle");
      await act?.(feed);

      assert.deepEqual(await findProblemsOfLooks(feed), []);
      assert.deepEqual(feed.consoleErrors, []);
    });
  }
});
