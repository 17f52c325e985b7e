// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { act, fireEvent, screen } from "@testing-library/react";
import { AppRouterContext, type AppRouterInstance } from "next/dist/shared/lib/app-router-context.shared-runtime";
import { afterEach, describe, it, vi } from "vitest";
import { PostList } from "@/components/post-list";
import { ProfileMenu } from "@/components/profile-menu";
import type { Profile } from "@/lib/feed/profile";
import { POST, renderPage, useRoutes } from "@/tests/support/rendered-page";

const ADA: Profile = {
  id: "author",
  name: "Ada",
  followed: false,
  followerCount: 1,
  followingCount: 0,
  own: false,
  muted: false,
  blocked: false,
};
const ROUTE = "/api/feedback";

describe("the menu of a profile", () => {
  const routes = useRoutes();
  const sent: { action: string; undo: boolean }[] = [];
  const refresh = vi.fn<() => void>();
  afterEach(() => {
    sent.length = 0;
    refresh.mockClear();
    vi.useRealTimers();
  });

  const open = (profile: Partial<Profile> = {}, status = 202) => {
    routes.set(ROUTE, (init) => {
      const { action, undo } = JSON.parse(String(init?.body)) as (typeof sent)[number];
      sent.push({ action, undo });
      return Response.json({}, { status });
    });
    const first = { posts: [POST], nextCursor: null, readAt: new Date().toISOString() };
    renderPage(
      <AppRouterContext value={{ refresh } as unknown as AppRouterInstance}>
        <main id="main">
          <ProfileMenu profile={{ ...ADA, ...profile }} />
          <PostList
            name={{ list: "author", of: ADA.id }}
            first={first}
            label="Posts of Ada"
            empty={{ title: "No posts", text: "None" }}
          />
        </main>
      </AppRouterContext>,
    );
  };
  const choose = async (label: string) => {
    fireEvent.click(screen.getByRole("button", { name: "More actions for @Ada" }));
    fireEvent.click(await screen.findByRole("menuitem", { name: label }));
  };
  const isShown = () => screen.queryByText(POST.content ?? "") !== null;

  it("mutes the user at once, and Undo restores the posts", async () => {
    open();
    await choose("Mute @Ada");
    await screen.findByText("You muted @Ada. You won't see their posts.");
    assert.equal(isShown(), false);

    fireEvent.click(screen.getByRole("button", { name: "Undo" }));

    await screen.findByText(POST.content ?? "");
    await vi.waitFor(() => assert.equal(refresh.mock.calls.length, 2));
    assert.deepEqual(sent, [
      { action: "mute_author", undo: false },
      { action: "mute_author", undo: true },
    ]);
    assert.equal(screen.queryByRole("button", { name: "Undo" }), null);
  });

  it("ends a block that the server knows, and Undo sets it again", async () => {
    open({ blocked: true });
    await choose("Unblock @Ada");
    await screen.findByText("You no longer block @Ada.");
    fireEvent.click(screen.getByRole("button", { name: "Undo" }));

    await vi.waitFor(() => assert.equal(isShown(), false));
    assert.deepEqual(
      sent.map(({ undo }) => undo),
      [true, false],
    );
    await choose("Unblock @Ada");
  });

  it("can be taken back for ten seconds", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    open();
    await choose("Block @Ada");
    const undo = await screen.findByRole("button", { name: "Undo" });
    undo.blur();

    act(() => vi.advanceTimersByTime(9_000));
    assert.equal(undo.isConnected, true);
    act(() => vi.advanceTimersByTime(1_000));
    assert.equal(undo.isConnected, false);
    assert.equal(isShown(), false);
  });

  it("shows the posts again if the change cannot be stored", async () => {
    open({}, 400);
    await choose("Mute @Ada");

    await screen.findByText("This could not be saved. Please try again.");
    assert.equal(isShown(), true);
    await act(async () => undefined);
    assert.equal(refresh.mock.calls.length, 0);
  });
});
