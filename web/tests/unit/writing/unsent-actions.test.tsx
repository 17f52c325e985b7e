// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { BrowserEventStore, newUuid } from "@feed/client";
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, it } from "vitest";
import { PostCard } from "@/components/post-card";
import { POST, renderPage, useRoutes, VIEWER } from "@/tests/support/rendered-page";

describe("likes that could not be sent", () => {
  const routes = useRoutes();
  afterEach(() => localStorage.clear());
  const renderCard = () => renderPage(<PostCard post={POST} requestId="r1" announce={() => undefined} />);
  const leaveLike = (ageMs: number) =>
    new BrowserEventStore(localStorage, VIEWER).put({
      event_id: newUuid(),
      post_id: POST.id,
      interaction_type: "like",
      occurred_at: new Date(Date.now() - ageMs).toISOString(),
    });
  const isLiked = () => screen.getByRole("button", { name: /^Like/ }).getAttribute("aria-pressed");

  it("are counted when the server does not take them", async () => {
    routes.set("/api/events", () => Response.json({ code: "tracking_unavailable" }, { status: 503 }));
    renderCard();

    fireEvent.click(screen.getByRole("button", { name: /^Like/ }));

    await screen.findByText("1 action not sent yet");
  });

  it("are liked and counted after a reload, until they are sent", async () => {
    leaveLike(60_000);
    routes.set("/api/events", async () => {
      const settled = new BrowserEventStore(localStorage, VIEWER).all().map(({ event_id }) => event_id);
      return Response.json({ settled }, { status: 202 });
    });

    renderCard();

    await screen.findByText("1 action not sent yet");
    assert.equal(isLiked(), "true");
    await waitFor(() => assert.ok(!screen.queryByText("1 action not sent yet")));
  });

  it("are not counted while their first delivery runs", () => {
    leaveLike(0);

    renderCard();

    assert.equal(screen.queryByText(/not sent yet/), null);
    assert.equal(isLiked(), "true");
  });
});
