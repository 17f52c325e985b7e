// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, it } from "vitest";
import { Comments } from "@/components/comments";
import { keyPrefix } from "@/components/writing/write";
import { POST, renderPage, useRoutes, VIEWER } from "@/tests/support/rendered-page";

const ROUTE = `/api/posts/${POST.id}/replies`;

describe("the replies to a post", () => {
  const routes = useRoutes();
  afterEach(() => localStorage.clear());
  const renderReplies = () => renderPage(<Comments post={POST} requestId="r1" />);
  const storedWrites = () => Object.keys(localStorage).filter((key) => key.startsWith(keyPrefix(VIEWER)));
  const reply = (text: string) => {
    fireEvent.change(screen.getByLabelText("Your reply"), { target: { value: text } });
    fireEvent.click(screen.getByRole("button", { name: "Reply" }));
  };
  const unavailable = () => Response.json({ code: "storage_unavailable" }, { status: 503 });

  it("are not said to be missing while they are loaded", () => {
    routes.set(ROUTE, () => new Promise<Response>(() => undefined));

    renderReplies();

    assert.equal(screen.queryByText("No replies yet."), null);
  });

  it("are said to be missing when there are none", async () => {
    routes.set(ROUTE, () => Response.json({ replies: [] }));

    renderReplies();

    await screen.findByText("No replies yet.");
  });

  it("leave those that are posts to the list of a thread", async () => {
    const replies = [true, false].map((isPost) => ({
      id: String(isPost),
      author: "Ben",
      text: isPost ? "A post" : "A comment",
      createdAt: POST.createdAt,
      own: false,
      isPost,
    }));
    routes.set(ROUTE, () => Response.json({ replies }));
    routes.set("/api/posts", () => Response.json({ status: "stored" }, { status: 202 }));
    renderPage(<Comments post={POST} requestId={null} isInThread />);

    await screen.findByText("A comment");
    reply("Mine");

    await screen.findByText("Mine");
    assert.equal(screen.queryByText("A post"), null);
  });

  it("show a reply at once as on its way, and say that it is posted after the answer of the server", async () => {
    let answer: (response: Response) => void = () => undefined;
    routes.set(ROUTE, () => Response.json({ replies: [] }));
    routes.set(
      "/api/posts",
      () =>
        new Promise<Response>((resolve) => {
          answer = resolve;
        }),
    );
    renderReplies();

    reply("Well said");

    await screen.findByText("Well said");
    screen.getByText("Sending…");
    assert.equal(screen.queryByText("Reply posted"), null);
    assert.equal(storedWrites().length, 1);
    answer(Response.json({ status: "stored" }, { status: 202 }));
    await screen.findByText("Reply posted");
    assert.equal(screen.queryByText("Sending…"), null);
    screen.getByText("Well said");
    assert.equal(storedWrites().length, 0);
  });

  it("keep a reply that is not sent yet over a reload, and send it again when the user asks for it", async () => {
    routes.set(ROUTE, () => Response.json({ replies: [] }));
    routes.set("/api/posts", unavailable);
    const { unmount } = renderReplies();
    reply("Well said");
    await screen.findByText("Not sent yet.");
    unmount();

    renderReplies();

    await screen.findByText("Well said");
    await screen.findByText("1 post not sent yet");
    routes.set("/api/posts", () => Response.json({ status: "stored" }, { status: 202 }));
    fireEvent.click(screen.getByRole("button", { name: "Retry" }));
    await screen.findByText("Reply posted");
    await waitFor(() => assert.ok(!screen.queryByText("1 post not sent yet")));
  });

  it("show why the server rejects a reply, which the user can discard", async () => {
    routes.set(ROUTE, () => Response.json({ replies: [] }));
    routes.set("/api/posts", () => Response.json({ code: "unknown_post", detail: "d" }, { status: 404 }));
    renderReplies();
    reply("Too late");
    await screen.findByText("Not posted. The other post was deleted, or you can no longer see it.");

    fireEvent.click(screen.getByRole("button", { name: "Discard" }));

    await waitFor(() => assert.ok(!screen.queryByText("Too late")));
    assert.equal(storedWrites().length, 0);
  });

  it("lose an own reply after it was deleted in a dialog", async () => {
    const own = { id: "r", author: "Vic", text: "Mine", createdAt: POST.createdAt, own: true, isPost: true };
    routes.set(ROUTE, () => Response.json({ replies: [own, { ...own, id: "s", text: "Other", own: false }] }));
    routes.set("/api/posts/r", () => Response.json({ status: "deleted" }, { status: 202 }));
    renderReplies();
    fireEvent.click(await screen.findByRole("button", { name: "Delete" }));
    await screen.findByRole("dialog", { name: "Delete this reply?" });

    fireEvent.click(screen.getAllByRole("button", { name: "Delete" }).at(-1) as HTMLElement);

    await screen.findByText("Reply deleted");
    assert.equal(screen.queryByText("Mine"), null);
    screen.getByText("Other");
  });
});
