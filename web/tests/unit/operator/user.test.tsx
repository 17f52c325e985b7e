// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import UserPage from "@/app/operator/user/page";

const [POST, OTHER] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

const PAGE = {
  user_id: "user_7",
  recommendations: [
    {
      post_id: POST,
      score: 0.934,
      reason: "following",
      evidence: { kind: "followed_author" },
      probability: 0.04,
      factors: { follows_author: 1.5, post_age: -0.4 },
    },
    { post_id: OTHER, score: 0.4, reason: "trending", evidence: { kind: "trending", count: 12 } },
  ],
  metadata: { source: "personalized", model_version: "v2", degraded: false },
};
const OVERVIEW = {
  user_id: "user_7",
  personalised: true,
  discoverable: true,
  show_sensitive: false,
  languages: ["de", "en"],
  event_count: 43,
  events: [{ post_id: OTHER, external_id: "post-9", interaction_type: "like", occurred_at: "2026-03-01T12:00:00Z" }],
  follow_count: 2,
  follows: [],
  controls: [{ action: "mute_word", word: "spoiler", created_at: "2026-03-01T12:00:00Z", until: null }],
  recommendations: [
    { post_id: POST, sources: ["following", "recent"] },
    { post_id: OTHER, sources: [] },
  ],
};
const TRACE = {
  user_id: "user_7",
  post_id: OTHER,
  verdict: "filtered",
  removed_by: ["not_excluded"],
  excluded_as: ["seen"],
};

describe("the page of a user", () => {
  /** Responses by the start of the path; others are a failure of the network. */
  let responses: Record<string, () => Response>;

  beforeEach(() => {
    process.env["ML_SERVICE_API_KEY"] = "key-of-the-feed";
    process.env["ML_SERVICE_ADMIN_KEY"] = "key-of-the-console";
    process.env["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"; // nothing listens there
    responses = {
      "/recommendations/generate": () => Response.json(PAGE),
      "/admin/users/user_7": () => Response.json(OVERVIEW),
      "/admin/explain": () => Response.json(TRACE),
    };
    vi.stubGlobal("fetch", async (request: Request) => {
      const { pathname } = new URL(request.url);
      const respond = responses[pathname];
      const key = pathname.startsWith("/admin/") ? "key-of-the-console" : "key-of-the-feed";
      if (!respond || request.headers.get("X-API-Key") !== key) throw new TypeError("fetch failed");
      return respond();
    });
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    for (const name of ["ML_SERVICE_API_KEY", "ML_SERVICE_ADMIN_KEY", "DATABASE_URL", "OPERATOR_PAGE"])
      delete process.env[name];
  });
  async function open(given: { user?: string; post?: string } = { user: "user_7" }) {
    render(await UserPage({ searchParams: Promise.resolve(given) }));
    return (name: string) => within(screen.getByRole("region", { name }));
  }

  it("answers why the user sees each post, with sources, score and features", async () => {
    const region = await open();

    const list = region("What user_7 gets, and why");
    list.getByText(/The list is ranked for user_7 by 43 events/);
    const [first, second] = list.getAllByRole("listitem").map((item) => item.textContent ?? "");
    assert.match(
      first ?? "",
      /Why: You follow its author\..*score 0\.934.*reason: following.*found by: following, recent/,
    );
    assert.match(first ?? "", /You follow its author\+1\.5.*How new it is-0\.4/);
    assert.match(second ?? "", /Why: Trending: 12 or more people.*follows the ranked posts/);
  });

  it("answers why a post is not shown", async () => {
    const region = await open({ user: "user_7", post: OTHER });

    const answer = region("Why not this post?");
    answer.getByText("Not shown: a filter removes it.");
    answer.getByText("Filter not_excluded: the user has an event with the post, so it counts as seen.");
  });

  it("shows events, controls and settings", async () => {
    const region = await open();

    region("Events").getByText("post-9");
    region("Controls").getByText("spoiler");
    region("Controls and settings").getByText("de, en");
    region("Follows 2 people");
  });

  it("says what is missing: a scope, a user, the service, the database", async () => {
    const rejection = (status: number, code: string) => () => Response.json({ status, code }, { status });
    responses["/admin/users/user_7"] = rejection(403, "missing_scope");
    responses["/admin/explain"] = rejection(404, "unknown_post");
    let region = await open({ user: "user_7", post: "never" });

    region("What user_7 gets, and why").getByText(/set ML_SERVICE_ADMIN_KEY/);
    region("Why not this post?").getByText("There is no such post.");
    screen.getByText(/The database does not respond, so names and texts are missing/);
    cleanup();

    responses = {};
    region = await open();
    region("What user_7 gets, and why").getByText("The service does not respond.");
  });

  it("asks for a user, and takes no id that cannot be one", async () => {
    await open({ user: "\u0000" });

    screen.getByLabelText("User");
    assert.equal(screen.queryByRole("region", { name: /gets, and why/ }), null);
  });

  it("does not exist while the console is off", async () => {
    process.env["OPERATOR_PAGE"] = "off";
    await assert.rejects(open(), /404/);
  });
});
