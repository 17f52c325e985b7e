// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, render, screen } from "@testing-library/react";
import { SearchParamsContext } from "next/dist/shared/lib/hooks-client-context.shared-runtime";
import { describe, it } from "vitest";
import { Feed, type ServerPage } from "@/components/feed";
import { Providers } from "@/components/providers";
import { POST, useRoutes, VIEWER } from "@/tests/support/rendered-page";

function pageWith(content: string, mode: ServerPage["mode"] = "ranked"): ServerPage {
  const page: ServerPage["page"] = {
    posts: [{ ...POST, content }],
    source: "ml_recommendations",
    nextCursor: null,
    degraded: false,
    exhausted: false,
    rewindCursor: null,
    mode,
    requestId: null,
    modelVersion: null,
  };
  return { mode, page, rankedPage: null };
}

/** The feed under its address, inside what all pages share. A key makes it another visit. */
function Visit({ visit, first, query = "" }: { visit: number; first: ServerPage | null; query?: string }) {
  return (
    <Providers user={VIEWER}>
      <SearchParamsContext value={new URLSearchParams(query)}>
        {visit > 0 && <Feed key={visit} first={first} />}
      </SearchParamsContext>
    </Providers>
  );
}

describe("the feed", () => {
  const routes = useRoutes();
  const withoutRequests = () => routes.set("/api/feeds?mode=ranked", () => assert.fail("a list was requested"));

  it("starts with the page of the server", () => {
    withoutRequests();
    render(<Visit visit={1} first={pageWith("From the server")} />);

    screen.getByText("From the server");
  });

  it("keeps its list on the next visit, whether the server sends another page or none", () => {
    withoutRequests();
    const { rerender } = render(<Visit visit={1} first={pageWith("The list")} />);
    rerender(<Visit visit={0} first={null} />);
    assert.equal(screen.queryByText("The list"), null);

    rerender(<Visit visit={2} first={pageWith("Another list")} />);
    screen.getByText("The list");
    rerender(<Visit visit={3} first={null} />);
    screen.getByText("The list");
  });

  it("shows the list of its address", async () => {
    routes.set("/api/feeds?mode=newest", () => Response.json(pageWith("A new post", "newest").page));
    render(<Visit visit={1} first={pageWith("Followed", "following")} query="feed=following" />);
    screen.getByText("Followed");
    cleanup();

    render(<Visit visit={1} first={pageWith("Ranked")} query="feed=unknown" />);
    screen.getByText("Ranked");
    cleanup();

    render(<Visit visit={1} first={null} query="feed=newest" />);
    await screen.findByText("A new post");
  });
});
