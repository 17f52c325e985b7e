// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, it, vi } from "vitest";
import { Composer } from "@/components/writing/composer";
import { POST, renderPage, useRoutes } from "@/tests/support/rendered-page";

const push = vi.hoisted(() => vi.fn());
vi.mock("next/navigation", () => ({ useRouter: () => ({ push }) }));

describe("the page for new posts", () => {
  const routes = useRoutes();
  afterEach(() => {
    localStorage.clear();
    push.mockReset();
  });
  const write = (text: string) => {
    fireEvent.change(screen.getByRole("textbox"), { target: { value: text } });
    fireEvent.click(screen.getByRole("button", { name: "Post" }));
  };
  const quoted = { id: POST.id, post: { ...POST, text: "Sourdough needs time." }, requestId: "r1" };

  it("opens the feed when the server has stored the post, and not before", async () => {
    let answer: (response: Response) => void = () => undefined;
    const stored = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    routes.set("/api/posts", () => stored);
    renderPage(<Composer quoted={null} />);

    write("A walk");

    await screen.findByText("Sending…");
    assert.equal(push.mock.calls.length, 0);
    answer(Response.json({ status: "stored" }, { status: 202 }));
    await waitFor(() => assert.deepEqual(push.mock.calls, [["/"]]));
    screen.getByText("Your post was published.");
  });

  it("sends a quote with the post that it quotes", async () => {
    const bodies: unknown[] = [];
    vi.stubGlobal("fetch", async (_path: string, { body }: { body: string }) => {
      bodies.push(JSON.parse(body));
      return Response.json({}, { status: 202 });
    });
    renderPage(<Composer quoted={quoted} />);
    screen.getByText("Sourdough needs time.");

    write("So true");

    await screen.findByText("Your post was published.");
    const [{ id, ...body }] = bodies as [{ id: string }];
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(body, { user: "viewer", text: "So true", quote_of: POST.id, request_id: "r1" });
  });

  it("does not send a text that is too long, and says by how much", () => {
    renderPage(<Composer quoted={null} />);

    write("🙂".repeat(2003));

    screen.getByText("3 characters too many");
    assert.equal(screen.getByRole<HTMLButtonElement>("button", { name: "Post" }).disabled, true);
    assert.equal(localStorage.length, 0);
  });
});
