// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { fireEvent, screen } from "@testing-library/react";
import { describe, it } from "vitest";
import { PostCard } from "@/components/post-card";
import type { PostWithUser } from "@/lib/feed/post";
import { POST, renderPage, useRoutes } from "@/tests/support/rendered-page";

const ignore = () => undefined;

describe("the card of a post", () => {
  useRoutes();
  const renderCard = (post: PostWithUser) => renderPage(<PostCard post={post} requestId="r1" announce={ignore} />);

  it("a like changes its button, and does not render the text again", () => {
    let timesRead = 0;
    const post = Object.defineProperty({ ...POST }, "content", {
      get: () => {
        timesRead += 1;
        return POST.content;
      },
    });
    renderCard(post);
    const timesReadBefore = timesRead;

    fireEvent.click(screen.getByRole("button", { name: "Like, 2 likes" }));

    const button = screen.getByRole("button", { name: "Like, 3 likes" });
    assert.equal(button.getAttribute("aria-pressed"), "true");
    assert.ok(timesReadBefore > 0);
    assert.equal(timesRead, timesReadBefore);
  });

  it("keeps the room of its pictures, which have a text", () => {
    renderCard({ ...POST, media: [{ url: "/pictures/a.svg", width: 800, height: 450, alt: "A boat" }] });

    const picture = screen.getByRole("img", { name: "A boat" });
    const attributes = ["src", "width", "height"].map((name) => picture.getAttribute(name));
    assert.deepEqual(attributes, ["/pictures/a.svg", "800", "450"]);
  });

  it("says why the post is shown", () => {
    renderCard(POST);

    screen.getByRole("button", { name: /3 people with your taste liked this/ });
  });

  it("names a followed author as the reason, whatever the service said", () => {
    renderCard({ ...POST, author: { id: "author", name: "Ada", followed: true } });

    screen.getByRole("button", { name: /You follow Ada/ });
  });

  it("has no reason for a post that the service did not recommend", () => {
    renderCard({ ...POST, why: null });

    assert.equal(screen.queryByRole("button", { name: /Why this post/ }), null);
  });
});
