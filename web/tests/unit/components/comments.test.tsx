// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { screen } from "@testing-library/react";
import { describe, it } from "vitest";
import { Comments } from "@/components/comments";
import { POST, renderPage, useRoutes } from "@/tests/support/rendered-page";

const ROUTE = `/api/posts/${POST.id}/replies`;

describe("the comments of a post", () => {
  const routes = useRoutes();
  const renderComments = () => renderPage(<Comments postId={POST.id} onComment={() => undefined} />);

  it("are not said to be missing while they are loaded", () => {
    routes.set(ROUTE, () => new Promise<Response>(() => undefined));

    renderComments();

    assert.equal(screen.queryByText("No comments yet."), null);
  });

  it("are said to be missing when there are none", async () => {
    routes.set(ROUTE, () => Response.json({ replies: [] }));

    renderComments();

    await screen.findByText("No comments yet.");
  });
});
