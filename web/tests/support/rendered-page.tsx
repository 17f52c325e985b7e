import { cleanup, configure, render } from "@testing-library/react";
import type { ReactElement } from "react";
import { afterEach, beforeEach, vi } from "vitest";
import { Providers } from "@/components/providers";
import type { PostWithUser } from "@/lib/feed/post";

// on a busy machine, a component that is loaded on first use takes more than the second of the library
configure({ asyncUtilTimeout: 20_000 });

export const VIEWER = "viewer";

/** Renders components as a page of the viewer has them. */
export function renderPage(page: ReactElement) {
  return render(<Providers user={VIEWER}>{page}</Providers>);
}

type Route = (init?: RequestInit) => Response | Promise<Response>;

/** Answers the calls of the routes during the tests of the enclosing suite, by path. Others are answered with 202. */
export function useRoutes(): Map<string, Route> {
  const routes = new Map<string, Route>();
  beforeEach(() => {
    routes.clear();
    vi.stubGlobal(
      "fetch",
      async (path: string, init?: RequestInit) =>
        (await routes.get(path)?.(init)) ?? Response.json({}, { status: 202 }),
    );
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });
  return routes;
}

export const POST: PostWithUser = {
  id: "11111111-1111-4111-8111-111111111111",
  content: "Sourdough needs time.",
  tags: ["bread"],
  createdAt: "2026-03-01T12:00:00.000Z",
  author: { id: "author", name: "Ada", followed: false },
  likeCount: 2,
  commentCount: 0,
  shareCount: 0,
  liked: false,
  shared: false,
  why: { kind: "similar_users", count: 3 },
};
