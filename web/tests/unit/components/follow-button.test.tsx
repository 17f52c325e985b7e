// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { fireEvent, screen } from "@testing-library/react";
import { describe, it } from "vitest";
import { FollowButton } from "@/components/follow-button";
import { renderPage, useRoutes } from "@/tests/support/rendered-page";

const AUTHOR = { id: "ada", name: "Ada", followed: false };

describe("a button that follows an author", () => {
  const routes = useRoutes();

  it("shows the follow at once, in every place of the page", () => {
    renderPage(
      <>
        <FollowButton author={AUTHOR} />
        <FollowButton author={AUTHOR} />
      </>,
    );

    fireEvent.click(screen.getAllByRole("button", { name: "Follow @Ada" })[0] as HTMLElement);

    assert.equal(screen.getAllByRole("button", { name: "Unfollow @Ada" }).length, 2);
  });

  it("shows the previous state again if the follow is not stored", async () => {
    routes.set("/api/follows", () => Response.json({ code: "unknown_author" }, { status: 404 }));
    renderPage(<FollowButton author={{ ...AUTHOR, followed: true }} />);

    fireEvent.click(screen.getByRole("button", { name: "Unfollow @Ada" }));
    screen.getByRole("button", { name: "Follow @Ada" });

    await screen.findByRole("button", { name: "Unfollow @Ada" });
  });
});
