/** The pages with lists of posts and people, with a real PostgreSQL and a fake recommendation service. */
import assert from "node:assert/strict";
import { type BrowserContextOptions, expect, test } from "@playwright/test";
import { userUuid } from "@/lib/platform/ids";
import { findChromium } from "@/tests/support/browser";
import { useSmallApplication } from "@/tests/support/small-application";

test.skip(findChromium() === null, "no Chromium on this machine");
const VIEWER = "user-9";
const BLOCKER = "user-11";
/** Two authors of posts, the second with an id that a path has to encode. */
const AUTHOR = "user-20";
const SPECIAL_AUTHOR = "50% & more/?";

test.describe("the pages with lists", () => {
  /** A post with a reply above it and two below it, of which one has an answer. */
  let post: string;
  const application = useSmallApplication(async ({ postgres }) => {
    await postgres.query("INSERT INTO users (id, external_id, username) VALUES ($1, $2, 'Zoë 100 %')", [
      userUuid(SPECIAL_AUTHOR),
      SPECIAL_AUTHOR,
    ]);
    await postgres.query("INSERT INTO user_feedback (user_id, action, author_id) VALUES ($1, 'block_author', $2)", [
      userUuid(BLOCKER),
      userUuid(VIEWER),
    ]);
    await postgres.query(
      `INSERT INTO user_interaction (user_id, post_id, interaction_type)
       SELECT $1, id, kind FROM (SELECT id FROM posts ORDER BY seq LIMIT 30) AS p, unnest('{view,like}'::text[]) AS kind`,
      [userUuid(VIEWER)],
    );
    const add = async (author: string, text: string, replyTo: string | null) => {
      const [row] = await postgres.query<{ id: string }>(
        `INSERT INTO posts (external_id, author_id, content, tags, reply_to, root_id)
         VALUES (gen_random_uuid(), $1, $2, '{thread}', $3, $3) RETURNING id`,
        [userUuid(author), text, replyTo],
      );
      return row?.id ?? "";
    };
    post = await add(AUTHOR, "An answer about quokkas", await add(SPECIAL_AUTHOR, "A question about quokkas", null));
    await add("user-2", "A last word", await add("user-1", "A reply", post));
    await add("user-3", "Another reply", post);
  });

  const { service } = application;
  const open = (path: string, options: BrowserContextOptions = {}) =>
    application.open(path, { user: VIEWER, ...options });
  const pathOf = (id: string) => `/user/${encodeURIComponent(id)}`;
  const paths = () => ({
    [pathOf(AUTHOR)]: /Morning notes|Still thinking|Question about|small thing|Field report/,
    [pathOf(SPECIAL_AUTHOR)]: /Zoë 100 %[\s\S]*A question about quokkas/,
    [`${pathOf(AUTHOR)}/followers`]: /Followers of/,
    "/tag/sourdough": /#sourdough[\s\S]*More posts/,
    "/search?q=quokkas": /An answer about quokkas/,
    "/search": /Search posts and people/,
    "/seen": /Recently seen[\s\S]*More posts/,
    "/likes": /Likes[\s\S]*More posts/,
    [`/post/${post}`]: /A question about quokkas[\s\S]*An answer about quokkas[\s\S]*Another reply[\s\S]*A last word/,
  });

  test("can be read without JavaScript, and continue by a link", async () => {
    for (const [path, expected] of Object.entries(paths())) {
      const { page } = await open(path, { javaScriptEnabled: false });

      await expect(page.locator("main"), path).toHaveText(expected);
    }
    const tag = await open("/tag/sourdough", { javaScriptEnabled: false });
    const first = await tag.ids();
    await tag.page.getByRole("link", { name: "More posts" }).click();
    const second = await tag.ids();
    assert.deepEqual([first.length, second.length], [20, 20]);
    assert.equal(new Set([...first, ...second]).size, 40);
    const search = await open("/search", { javaScriptEnabled: false });
    await search.page.getByRole("searchbox").fill("quokkas answer");
    await search.page.getByRole("button", { name: "Search" }).click();
    assert.deepEqual(await search.ids(), [post]);
  });

  test("respond to a user who blocks the viewer as to an unknown one", async () => {
    const bodyOf = async (path: string) => {
      const { page } = await open(path);
      const response = await page.reload();
      return [response?.status(), await page.locator("main").innerText()];
    };

    const unknown = await bodyOf(pathOf("nobody"));
    assert.equal(unknown[0], 404);
    for (const path of [pathOf(BLOCKER), `${pathOf(BLOCKER)}/followers`, "/user/by-name/nobody"]) {
      assert.deepEqual(await bodyOf(path), unknown, path);
    }
  });

  test("load the rest of a list while the reader scrolls, each post once", async () => {
    const tag = await open("/tag/sourdough");
    await tag.waitForPosts(20);
    for (let step = 0; step < 20 && (await tag.posts.count()) < 40; step += 1) {
      await tag.page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      await tag.page.waitForTimeout(100);
    }

    const ids = await tag.ids();
    assert.ok(ids.length >= 40);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(tag.consoleErrors, []);
  });

  test("have similar posts below a post, and none while the service is away", async () => {
    const { page } = await open(`/post/${post}`);
    await page.getByRole("region", { name: "More like this" }).waitFor();

    service.behaviour = { kind: "status", status: 503 };
    const away = await open(`/post/${post}`);
    service.behaviour = { kind: "healthy" };

    await away.waitForPosts(5);
    await away.page.waitForLoadState("networkidle");
    assert.equal(await away.page.getByRole("region", { name: "More like this" }).count(), 0);
  });
});
