// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { fireEvent, screen } from "@testing-library/react";
import { renderToString } from "react-dom/server";
import { describe, it } from "vitest";
import { PostList } from "@/components/post-list";
import { Providers } from "@/components/providers";
import type { PostListPage } from "@/lib/feed/post-list";
import { POST, renderPage, useRoutes, VIEWER } from "@/tests/support/rendered-page";

const NAME = { list: "tag", of: "bread & butter" } as const;
const ROUTE = `/api/posts?${new URLSearchParams({ ...NAME, cursor: "after-1" })}`;
const EMPTY = { title: "No posts yet", text: "Posts with the tag appear here." };

const pageOf = (texts: string[], nextCursor: string | null): PostListPage => ({
  posts: texts.map((content) => ({ ...POST, id: `post-${content}`, content })),
  nextCursor,
  readAt: new Date().toISOString(),
});

describe("a list of posts", () => {
  const routes = useRoutes();
  const list = (first: PostListPage) => <PostList name={NAME} first={first} label="Posts" empty={EMPTY} />;
  const shownTexts = () => screen.getAllByRole("article").map((post) => post.querySelector(".content")?.textContent);

  it("is in the HTML, with a link to the next page for browsers without JavaScript", () => {
    const html = renderToString(<Providers user={VIEWER}>{list(pageOf(["one", "two"], "after-1"))}</Providers>);

    assert.match(html, /one.*two.*href="\?cursor=after-1"/s);
  });

  it("continues with the posts that it does not have yet, to its end", async () => {
    routes.set(ROUTE, () => Response.json(pageOf(["two", "three"], null)));
    renderPage(list(pageOf(["one", "two"], "after-1")));

    fireEvent.click(screen.getByRole("link", { name: "More posts" }));

    await screen.findByText("You have reached the end.");
    assert.deepEqual(shownTexts(), ["one", "two", "three"]);
  });

  it("has replies below the post that they answer, and a link to further ones", () => {
    const page = pageOf(["one"], null);
    const replies = { posts: pageOf(["answer"], null).posts, hasMore: true };

    renderPage(list({ ...page, posts: page.posts.map((post) => ({ ...post, replies })) }));

    assert.deepEqual(shownTexts(), ["one", "answer"]);
    assert.equal(screen.getByRole("link", { name: "Show more replies" }).getAttribute("href"), "/post/post-one");
  });

  it("keeps its posts and can try again if the next page fails", async () => {
    routes.set(ROUTE, () => new Response(null, { status: 503 }));
    renderPage(list(pageOf(["one"], "after-1")));

    fireEvent.click(screen.getByRole("link", { name: "More posts" }));
    const retry = await screen.findByRole("button", { name: "Try now" }, { timeout: 3000 });
    assert.deepEqual(shownTexts(), ["one"]);

    routes.set(ROUTE, () => Response.json(pageOf(["two"], null)));
    fireEvent.click(retry);
    await screen.findByText("You have reached the end.");
    assert.deepEqual(shownTexts(), ["one", "two"]);
  });

  it("says what is missing if it is empty", () => {
    renderPage(list(pageOf([], null)));

    assert.equal(screen.getByRole("heading").textContent, "No posts yet");
  });
});
