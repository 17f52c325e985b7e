/**
 * What users control holds everywhere from the next page on, and can be taken back: the routes of the application on a
 * real PostgreSQL, with the real service. With `CONTROL_TEST=full` each control is compared on its own as well.
 */
import assert from "node:assert/strict";
import { newUuid } from "@feed/client";
import { NextRequest } from "next/server";
import { afterAll, beforeAll, describe, it } from "vitest";
import { POST as postFeedback } from "@/app/api/feedback/route";
import { GET as getFeed } from "@/app/api/feeds/route";
import { GET as getPosts } from "@/app/api/posts/route";
import { POST as postForm } from "@/app/api/settings/[form]/route";
import { GET as getExport } from "@/app/api/settings/export/route";
import { userUuid } from "@/lib/platform/ids";
import { findInterests, isNewUser } from "@/lib/repositories/interest.repository";
import { findControlledPeople, findMutedTerms, findSettings } from "@/lib/repositories/settings.repository";
import { type ControlledPost, POSTS, storeControlledFeed, VIEWER } from "@/tests/support/controlled-feed";
import { useDatabase } from "@/tests/support/database";
import { FeedService } from "@/tests/support/feed-service";
import { query } from "@/tests/support/query";
import { sessionCookie } from "@/tests/support/session";

const IS_FULL = process.env["CONTROL_TEST"] === "full";
const API_KEY = "control-tests";
const PAGE_SIZE = 20;
const NOBODY = "http://127.0.0.1:9";
const [HIDDEN] = POSTS.filter(({ sensitive }) => !sensitive) as [ControlledPost];

let service: FeedService;

const requestOf = async (path: string, init: { method?: string; body?: string } = {}, user = VIEWER) =>
  new NextRequest(`http://feed.example${path}`, { ...init, headers: { cookie: await sessionCookie(user) } });

type Fields = [name: string, value: string][];

/** Sends a form of the settings. Returns the response, and the query of the page that it leads to. */
const sendForm = async (name: string, fields: Fields, user = VIEWER) => {
  const request = await requestOf(
    `/api/settings/${name}`,
    { method: "POST", body: `${new URLSearchParams(fields)}` },
    user,
  );
  const response = await postForm(request, { params: Promise.resolve({ form: name }) });
  assert.equal(response.status, 303);
  const location = new URL(response.headers.get("location") ?? "", "http://feed.example");
  return {
    response,
    path: location.pathname,
    query: location.searchParams,
    result: location.searchParams.get("result"),
  };
};
const submit = async (name: string, fields: Fields, user = VIEWER) =>
  assert.equal((await sendForm(name, fields, user)).result, "saved");
const giveFeedback = async (fields: object) => {
  const body = JSON.stringify({ ...fields, event_id: newUuid() });
  assert.equal((await postFeedback(await requestOf("/api/feedback", { method: "POST", body }))).status, 202);
};
const feedback = (fields: object) => ({
  set: () => giveFeedback(fields),
  undo: () => giveFeedback({ ...fields, undo: true }),
});
const settingsForm = (action: string, target: string) => ({
  set: () => submit("controls", Object.entries({ action, target })),
  undo: () => submit("controls", Object.entries({ action, target, undo: "on" })),
});

interface Control {
  name: string;
  set: () => Promise<void>;
  undo: () => Promise<void>;
  removes: (post: ControlledPost) => boolean;
}

const CONTROLS: Control[] = [
  { name: "hide", ...feedback({ action: "hide_post", post_id: HIDDEN.id }), removes: ({ id }) => id === HIDDEN.id },
  {
    name: "not interested",
    ...feedback({ action: "not_interested", post_id: HIDDEN.id }),
    removes: ({ id }) => id === HIDDEN.id,
  },
  {
    name: "mute an author",
    ...feedback({ action: "mute_author", author_id: "ada" }),
    removes: ({ author }) => author === "ada",
  },
  {
    name: "block an author",
    ...feedback({ action: "block_author", author_id: "ben" }),
    removes: ({ author }) => author === "ben",
  },
  { name: "mute a word", ...settingsForm("mute_word", "SourDough"), removes: ({ word }) => word === "sourdough" },
  {
    name: "mute a tag in the menu of a post",
    set: feedback({ action: "mute_tag", tag: "#Tag1" }).set,
    undo: settingsForm("mute_tag", "tag1").undo,
    removes: ({ tag }) => tag === "tag1",
  },
  {
    name: "languages",
    set: () => submit("reading", Object.entries({ languages: "de", show_sensitive: "on" })),
    undo: () => submit("reading", Object.entries({ show_sensitive: "on" })),
    removes: ({ language }) => language === "en",
  },
  {
    name: "sensitive off",
    set: () => submit("reading", []),
    undo: () => submit("reading", Object.entries({ show_sensitive: "on" })),
    removes: ({ sensitive }) => sensitive,
  },
];
/** All controls together; a form with the language but without the mark sets both of the settings. */
const ALL_AT_ONCE: Control = {
  name: "all at once",
  set: async () => {
    for (const { set } of CONTROLS.slice(0, -2)) await set();
    await submit("reading", [["languages", "de"]]);
  },
  undo: async () => {
    for (const { undo } of CONTROLS) await undo();
  },
  removes: (post) => CONTROLS.some(({ removes }) => removes(post)),
};

interface List {
  ids: string[];
  next: (() => Promise<List>) | null;
}

/** One page of a mode of the feed, from `source`. */
const readFeed = async (mode: string, source: string, cursor = ""): Promise<List> => {
  const query = new URLSearchParams({ cursor, mode, limit: String(PAGE_SIZE) });
  const response = await getFeed(await requestOf(`/api/feeds?${query}`));
  assert.equal(response.status, 200);
  const page = (await response.json()) as { posts: { id: string }[]; source: string; nextCursor: string | null };
  const { nextCursor } = page;
  if (page.posts.length > 0) assert.equal(page.source, source);
  return { ids: page.posts.map(({ id }) => id), next: nextCursor ? () => readFeed(mode, source, nextCursor) : null };
};

/** One page of a list of posts, which PostgreSQL has without the service. */
const readPosts = async (name: { list: string; of: string }, cursor = ""): Promise<List> => {
  const query = new URLSearchParams({ ...name, cursor, limit: String(PAGE_SIZE) });
  const response = await getPosts(await requestOf(`/api/posts?${query}`));
  assert.equal(response.status, 200);
  const { posts, nextCursor } = (await response.json()) as { posts: { id: string }[]; nextCursor: string | null };
  return { ids: posts.map(({ id }) => id), next: nextCursor ? () => readPosts(name, nextCursor) : null };
};

interface Surface {
  name: string;
  /** The first page of a list. */
  open: () => Promise<List>;
  /** The posts of which the surface has all that the viewer wants to see. */
  has: (post: ControlledPost) => boolean;
}

const everything = () => true;
const SURFACES: Surface[] = [
  ...["ranked", "following", "newest"].map((mode) => ({
    name: mode,
    open: () => readFeed(mode, "ml_recommendations"),
    has: everything,
  })),
  { name: "search", open: () => readPosts({ list: "search", of: "thoughts" }), has: everything },
  { name: "tag", open: () => readPosts({ list: "tag", of: "tag1" }), has: ({ tag }) => tag === "tag1" },
  ...["ada", "chi"].map((author) => ({
    name: `profile of ${author}`,
    open: () => readPosts({ list: "author", of: author }),
    has: (post: ControlledPost) => post.author === author,
  })),
  { name: "fallback", open: () => withoutService(() => readFeed("ranked", "random_fallback")), has: everything },
];

/** The same while the service is not reachable. */
async function withoutService(open: () => Promise<List>): Promise<List> {
  process.env["ML_SERVICE_URL"] = NOBODY;
  try {
    const { ids, next } = await open();
    return { ids, next: next && (() => withoutService(next)) };
  } finally {
    process.env["ML_SERVICE_URL"] = service.url;
  }
}

const readToEnd = async (list: List): Promise<string[]> =>
  list.next === null || list.ids.length === 0 ? list.ids : [...list.ids, ...(await readToEnd(await list.next()))];

describe("what a user controls", () => {
  const database = useDatabase();
  beforeAll(async () => {
    await storeControlledFeed();
    service = await FeedService.startWithoutModel(database.url, { API_KEYS: API_KEY });
    process.env["ML_SERVICE_URL"] = service.url;
    process.env["ML_SERVICE_API_KEY"] = API_KEY;
    await submit("reading", Object.entries({ show_sensitive: "on" }));
  });
  afterAll(async () => {
    for (const name of ["ML_SERVICE_URL", "ML_SERVICE_API_KEY"]) delete process.env[name];
    await service?.end();
  });

  for (const { name, set, undo, removes } of IS_FULL ? [...CONTROLS, ALL_AT_ONCE] : [ALL_AT_ONCE]) {
    it(`${name}: no surface has it from the next page on, until it is taken back`, async () => {
      const removed = new Set(POSTS.filter(removes).map(({ id }) => id));
      const begun: List[] = [];
      for (const { open } of SURFACES) begun.push(await open());

      await set();

      for (const [index, surface] of SURFACES.entries()) {
        const wanted = POSTS.filter((post) => surface.has(post) && !removes(post)).map(({ id }) => id);
        assert.deepEqual((await readToEnd(await surface.open())).sort(), wanted.sort(), surface.name);
        const rest = await readToEnd((await begun[index]?.next?.()) ?? { ids: [], next: null });
        assert.deepEqual(
          rest.filter((id) => removed.has(id)),
          [],
          `${surface.name}, the next page`,
        );
      }

      await undo();

      for (const surface of SURFACES) {
        const all = POSTS.filter(surface.has).map(({ id }) => id);
        assert.deepEqual((await readToEnd(await surface.open())).sort(), all.sort(), `${surface.name}, taken back`);
      }
    });
  }

  it("is listed in the settings until it is taken back", async () => {
    await submit("controls", Object.entries({ action: "mute_word", target: "Night  Sky" }));
    await submit("controls", Object.entries({ action: "mute_word", target: "#Rain" }));
    await giveFeedback({ action: "mute_author", author_id: "ada" });
    await giveFeedback({ action: "block_author", author_id: "ben" });
    const [[, rain] = [], [, sky] = []] = (await findMutedTerms(VIEWER)).map(({ action, term }) => [action, term]);
    const people = await findControlledPeople(VIEWER);

    assert.deepEqual([rain?.toLowerCase(), sky], ["rain", "night sky"]);
    assert.deepEqual(people, [
      { action: "block_author", id: "ben", name: "ben" },
      { action: "mute_author", id: "ada", name: "ada" },
    ]);

    for (const { action, term } of await findMutedTerms(VIEWER)) {
      await submit("controls", Object.entries({ action, target: term, undo: "on" }));
    }
    for (const { action, id } of people) {
      await submit("controls", Object.entries({ action, target: id, undo: "on" }));
    }
    assert.deepEqual([await findMutedTerms(VIEWER), await findControlledPeople(VIEWER)], [[], []]);
  });

  it("stays as it is while the service is away, and nothing that was entered is lost", async () => {
    const before = await findSettings(VIEWER);
    process.env["ML_SERVICE_URL"] = NOBODY;
    try {
      const fields: Fields = [
        ["languages", "de"],
        ["languages", "fr"],
        ["user", VIEWER],
      ];
      const { path, query } = await sendForm("reading", fields);
      assert.equal(`${path}?${query}`, "/settings?form=reading&result=unavailable&languages=de&languages=fr");
      assert.deepEqual(await findSettings(VIEWER), before);

      const deletion = await sendForm("deletion", [["confirmation", "delete"]]);
      assert.equal(`${deletion.path}?${deletion.query}`, "/settings?form=deletion&result=unavailable");
      assert.equal(deletion.response.headers.get("set-cookie"), null);

      const exported = await getExport(await requestOf("/api/settings/export"));
      assert.match(exported.headers.get("location") ?? "", /^\/settings\?form=export&result=unavailable/);
    } finally {
      process.env["ML_SERVICE_URL"] = service.url;
    }
  });

  it("is not changed by an invalid form, by the page of another user, or by another site", async () => {
    const result = async (name: string, fields: Fields) => (await sendForm(name, fields)).result;

    assert.equal(await result("controls", Object.entries({ action: "mute_word", target: " # " })), "invalid");
    assert.equal(
      await result("controls", Object.entries({ action: "mute_author", target: "nobody-at-all" })),
      "invalid",
    );
    assert.equal(await result("reading", [["languages", "<b>"]]), "invalid");
    assert.equal(await result("deletion", [["confirmation", "yes"]]), "invalid");
    assert.equal(await result("personalisation", [["user", "ben"]]), "other_user");
    const request = await requestOf("/api/settings/reset", { method: "POST", body: "" });
    request.headers.set("sec-fetch-site", "cross-site");
    assert.equal((await postForm(request, { params: Promise.resolve({ form: "reset" }) })).status, 403);
    assert.equal((await findSettings(VIEWER)).personalised, true);
  });

  it("begins with three interests, which a new visitor declares, and follows", async () => {
    const visitor = newUuid();
    const chosen: Fields = [
      ["tags", "tag0"],
      ["authors", "ada"],
    ];
    assert.equal(await isNewUser(visitor), true);
    const { path, query } = await sendForm("interests", chosen, visitor);
    assert.equal(`${path}?${query}`, "/welcome?form=interests&result=invalid&tags=tag0&authors=ada");

    const stored = await sendForm("interests", [...chosen, ["tags", "tag2"]], visitor);

    assert.equal(stored.path, "/");
    assert.deepEqual(await findInterests(visitor), { tags: ["tag0", "tag2"], authors: [{ id: "ada", name: "ada" }] });
    assert.equal(await isNewUser(visitor), false);
    assert.deepEqual(await followsOf(visitor), [userUuid("ada")]);
  });

  it("and what is stored about them is exported, reset and deleted", async () => {
    const visitor = newUuid();
    await submit("reading", [["languages", "de"]], visitor);
    await submit("personalisation", [], visitor);
    assert.deepEqual(await findSettings(visitor), { languages: ["de"], showSensitive: false, personalised: false });
    const interests = await sendForm(
      "interests",
      ["tag0", "tag1", "tag2"].map((tag) => ["tags", tag]),
      visitor,
    );
    assert.equal(interests.path, "/", String(interests.query));
    const exportOf = async () => {
      const response = await getExport(await requestOf("/api/settings/export", {}, visitor));
      assert.match(response.headers.get("content-disposition") ?? "", /^attachment; filename="my-data.json"$/);
      const { users, interests } = (await response.json()) as { users: unknown[]; interests?: unknown[] };
      return [users.length, interests?.length ?? 0];
    };
    assert.deepEqual(await exportOf(), [1, 3]);

    await submit("reset", [], visitor);
    assert.deepEqual(await exportOf(), [1, 0]);
    assert.deepEqual((await findSettings(visitor)).languages, ["de"]);

    const { response, result } = await sendForm("deletion", [["confirmation", "Delete "]], visitor);
    assert.equal(result, "saved");
    assert.match(response.headers.get("set-cookie") ?? "", /^feed_session=; Path=\/; Expires=Thu, 01 Jan 1970/);
    assert.equal(response.headers.get("clear-site-data"), '"storage"');
    assert.deepEqual(await query("SELECT id FROM users WHERE id = $1", [visitor]), []);
  });

  it("ends with the deletion in all browsers that have the session, at once and in other processes", async () => {
    const visitor = newUuid();
    await submit("reading", [["languages", "de"]], visitor);
    const copy = await requestOf("/api/feeds", {}, visitor);
    const other = await requestOf("/api/feeds");
    assert.equal((await getFeed(copy)).status, 200);

    await submit("deletion", [["confirmation", "delete"]], visitor);

    assert.deepEqual([(await getFeed(copy)).status, (await getFeed(other)).status], [401, 200]);
    Reflect.deleteProperty(globalThis, "feedEndedSessions"); // another process has read nothing yet
    assert.deepEqual([(await getFeed(copy)).status, (await getFeed(other)).status], [401, 200]);
  });

  it("is nothing yet for a visitor who deletes their data at once", async () => {
    const visitor = newUuid();

    assert.deepEqual(await findSettings(visitor), { languages: [], showSensitive: false, personalised: true });
    assert.equal((await getExport(await requestOf("/api/settings/export", {}, visitor))).status, 200);
    await submit("reset", [], visitor);
    await submit("deletion", [["confirmation", "delete"]], visitor);
  });
});

const followsOf = async (user: string): Promise<string[]> => {
  const rows = await query<{ followee_id: string }>("SELECT followee_id FROM follows WHERE follower_id = $1", [user]);
  return rows.map(({ followee_id }) => followee_id);
};
