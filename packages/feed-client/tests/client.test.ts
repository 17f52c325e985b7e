import assert from "node:assert/strict";
import { afterAll, beforeAll, beforeEach, describe, it } from "vitest";
import { FeedServiceClient, FeedServiceError } from "../src/index.ts";
import { FakeFeedService } from "../src/testing/fake-service.ts";

const POST = "11111111-1111-4111-8111-111111111111";
const EVENT = "22222222-2222-4222-8222-222222222222";
/** No healthy service needs so long, however busy the machine is. */
const LONG_MS = 20_000;
const SHORT_MS = 400;

describe("the service client", () => {
  const service = new FakeFeedService([POST]);
  let client: FeedServiceClient;

  beforeAll(() => service.start());
  afterAll(() => service.stop());
  beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.nextBehaviours.length = 0;
    service.requests.length = 0;
    service.events.clear();
    service.controls.clear();
    service.seenReports.length = 0;
    service.feedbackIds.clear();
    service.authors.clear();
    service.follows.clear();
    client = new FeedServiceClient({ baseUrl: service.url, timeoutMs: LONG_MS, random: () => 0 });
  });

  const impatient = () => new FeedServiceClient({ baseUrl: service.url, timeoutMs: SHORT_MS, random: () => 0 });
  const failure = async (call: Promise<unknown>): Promise<FeedServiceError> => {
    const error = await call.then(
      () => assert.fail("the call succeeded"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof FeedServiceError);
    return error;
  };

  it("returns a page of recommendations unchanged", async () => {
    const page = await client.recommendations({ user_id: "ann", limit: 5 });

    assert.deepEqual(
      page.recommendations.map((item) => item.post_id),
      [POST],
    );
    assert.deepEqual(service.requests[0]?.body, { user_id: "ann", limit: 5 });
  });

  it("sends the API key only if it has one", async () => {
    await client.health();
    await new FeedServiceClient({ baseUrl: service.url, apiKey: "k-1" }).health();

    assert.deepEqual(
      service.requests.map(({ headers }) => headers["x-api-key"]),
      [undefined, "k-1"],
    );
  });

  it("reports what was seen, and repeats the report after a 503", async () => {
    const report = { user_id: "ann", request_id: "r1", seen: [POST] };
    service.nextBehaviours.push({ kind: "status", status: 503 });

    assert.deepEqual(await client.reportSeen(report), { status: "recorded", seen: 1 });

    assert.deepEqual(service.seenReports, [report]);
    service.nextBehaviours.push({ kind: "wrong shape" });
    assert.equal((await failure(client.reportSeen(report))).kind, "malformed");
  });

  it("repeats a report once if its page is not stored yet", async () => {
    const report = { user_id: "ann", request_id: "r1", seen: [POST] };
    service.earlyReports = 1;

    assert.deepEqual(await client.reportSeen(report), { status: "recorded", seen: 1 });

    service.earlyReports = 3;
    assert.deepEqual(await client.reportSeen(report), { status: "recorded", seen: 0 });
    assert.equal(service.earlyReports, 1);
    service.earlyReports = 0;
  });

  it("repeats an idempotent call once after a 503", async () => {
    service.nextBehaviours.push({ kind: "status", status: 503 });

    const page = await client.recommendations({ user_id: "ann" });

    assert.equal(page.recommendations.length, 1);
    assert.equal(service.requests.length, 2);
  });

  it("throws after the second failure, with the details of the problem", async () => {
    service.behaviour = { kind: "status", status: 503, code: "storage_unavailable", retryAfter: 2 };

    const error = await failure(client.recommendations({ user_id: "ann" }));

    assert.deepEqual(
      [error.kind, error.status, error.code, error.retryAfterSeconds],
      ["problem", 503, "storage_unavailable", 2],
    );
    assert.equal(error.transient, true);
    assert.equal(service.requests.length, 2);
  });

  it("repeats an event only if it has an id", async () => {
    service.nextBehaviours.push({ kind: "status", status: 503 });
    await failure(client.track({ user_id: "ann", post_id: POST, interaction_type: "like" }));
    assert.equal(service.requests.length, 1);

    service.nextBehaviours.push({ kind: "status", status: 503 });
    await client.track({ user_id: "ann", post_id: POST, interaction_type: "like", event_id: EVENT });

    assert.equal(service.requests.length, 3);
    assert.equal(service.events.size, 1);
  });

  it("does not repeat a call that the service rejects", async () => {
    service.behaviour = { kind: "status", status: 400, code: "invalid_cursor" };

    const error = await failure(client.recommendations({ user_id: "ann", cursor: "x" }));

    assert.deepEqual([error.code, error.transient, service.requests.length], ["invalid_cursor", false, 1]);
  });

  it("reports a stalled body as a timeout", async () => {
    service.behaviour = { kind: "stalled" };
    const startedAt = performance.now();

    const error = await failure(impatient().recommendations({ user_id: "ann" }));

    assert.equal(error.kind, "timeout");
    assert.ok(performance.now() - startedAt < LONG_MS);
  });

  it("applies one time limit to both attempts", async () => {
    service.nextBehaviours.push({ kind: "status", status: 503 }, { kind: "slow", delayMs: LONG_MS });
    const startedAt = performance.now();

    const error = await failure(impatient().recommendations({ user_id: "ann" }));

    assert.equal(error.kind, "timeout");
    assert.ok(performance.now() - startedAt < LONG_MS);
  });

  for (const kind of ["broken json", "wrong shape"] as const) {
    it(`reports a response with ${kind} as malformed`, async () => {
      service.behaviour = { kind };

      const error = await failure(client.recommendations({ user_id: "ann" }));

      assert.equal(error.kind, "malformed");
    });
  }

  it("reports an unreachable service as a network failure", async () => {
    const stopped = await new FakeFeedService().start();
    await stopped.stop();

    const error = await failure(new FeedServiceClient({ baseUrl: stopped.url }).health());

    assert.equal(error.kind, "network");
  });

  it("can be aborted by the caller", async () => {
    service.behaviour = { kind: "slow", delayMs: LONG_MS };
    const abort = new AbortController();
    const call = failure(client.recommendations({ user_id: "ann" }, { signal: abort.signal }));

    abort.abort();

    assert.equal((await call).kind, "timeout");
  });

  it("returns the number of accepted and duplicate events of a batch", async () => {
    const event = { user_id: "ann", post_id: POST, interaction_type: "view" as const, event_id: EVENT };
    await client.trackBatch([event]);

    const result = await client.trackBatch([event]);

    assert.deepEqual(result, { status: "tracked", accepted: 0, duplicates: 1 });
  });

  it("stores the valid events of a batch and names the others", async () => {
    const event = { user_id: "ann", post_id: POST, interaction_type: "like" as const };

    assert.deepEqual(await client.trackValid([{ ...event, post_id: "no post" }, event]), {
      status: "tracked",
      accepted: 1,
      duplicates: 0,
      rejected: [{ index: 0, code: "unknown_post" }],
    });
  });

  it("takes a like back once", async () => {
    const like = { user_id: "ann", post_id: POST, interaction_type: "like" as const };
    await client.track({ ...like, event_id: EVENT });

    assert.deepEqual(await client.retract(like), { status: "retracted", removed: 1 });
    assert.deepEqual(await client.retract({ user_id: "ann", event_id: EVENT }), { status: "retracted", removed: 0 });
  });

  const recommendedTo = async (user_id: string) =>
    (await client.recommendations({ user_id })).recommendations.map(({ post_id }) => post_id);

  it("hides a post from one user until they take it back", async () => {
    const hide = { user_id: "ann", action: "hide_post" as const, post_id: POST };

    await client.feedback(hide);
    assert.deepEqual([await recommendedTo("ann"), await recommendedTo("bob")], [[], [POST]]);

    await client.feedback({ ...hide, undo: true });
    assert.deepEqual(await recommendedTo("ann"), [POST]);
  });

  it("hides the posts of a muted author from the user, and those of a blocked author from both", async () => {
    service.authors.set(POST, "bob");

    await client.feedback({ user_id: "ann", action: "mute_author", author_id: "bob" });
    await client.feedback({ user_id: "bob", action: "block_author", author_id: "cem" });

    assert.deepEqual(await Promise.all(["ann", "cem", "dan"].map(recommendedTo)), [[], [], [POST]]);
  });

  it("lists the controls that are in force", async () => {
    const until = "2100-01-01T00:00:00Z";
    await client.feedback({ user_id: "ann/1", action: "mute_author", author_id: "bob", until });
    await client.feedback({ user_id: "ann/1", action: "hide_post", post_id: POST, until: "2020-01-01T00:00:00Z" });

    const { user_id, controls } = await client.controls("ann/1");

    assert.equal(user_id, "ann/1");
    assert.deepEqual(
      controls.map(({ created_at: _createdAt, ...control }) => control),
      [{ action: "mute_author", post_id: null, author_id: "bob", tag: null, word: null, until }],
    );
  });

  it("repeats feedback only if it has an id", async () => {
    const hide = { user_id: "ann", action: "hide_post" as const, post_id: POST };
    service.nextBehaviours.push({ kind: "status", status: 503 });
    await failure(client.feedback(hide));
    assert.equal(service.requests.length, 1);

    service.nextBehaviours.push({ kind: "status", status: 503 });
    await client.feedback({ ...hide, event_id: EVENT });

    assert.equal(service.requests.length, 3);
  });

  it("stores feedback with the same id once", async () => {
    const hide = { user_id: "ann", action: "hide_post" as const, post_id: POST };
    await client.feedback({ ...hide, event_id: EVENT });
    await client.feedback({ ...hide, undo: true });

    await client.feedback({ ...hide, event_id: EVENT });

    assert.deepEqual((await client.controls("ann")).controls, []);
  });

  it("reports an unconfirmed control as malformed", async () => {
    service.behaviour = { kind: "wrong shape" };

    const hide = { user_id: "ann", action: "hide_post" as const, post_id: POST };
    const errors = [await failure(client.feedback(hide)), await failure(client.controls("ann"))];

    assert.deepEqual(
      errors.map(({ kind }) => kind),
      ["malformed", "malformed"],
    );
  });

  it("follows and unfollows, and repeats the call after a failure", async () => {
    service.nextBehaviours.push({ kind: "status", status: 503 });

    await client.follow("ann/1", "bob");
    assert.deepEqual([...(service.follows.get("ann/1") ?? [])], ["bob"]);

    await client.unfollow("ann/1", "bob");
    assert.equal(service.follows.get("ann/1")?.size, 0);
    assert.equal(service.requests.length, 3);
  });

  it("reports a rejected follow with its code", async () => {
    const error = await failure(client.follow("ann", "ann"));

    assert.deepEqual([error.status, error.code, error.transient], [422, "invalid_follow", false]);
  });

  it("writes users and posts, and repeats a call after a failure", async () => {
    service.nextBehaviours.push({ kind: "status", status: 503 });

    await client.putUser("ann/1", { languages: ["de"] });
    await client.putPost("at://post", { author_id: "ann/1", content: "A walk" });
    await client.putPosts([{ id: "at://post", content: null }, { id: "second" }]);
    assert.deepEqual(Object.fromEntries(service.entities.users), { "ann/1": { languages: ["de"] } });
    assert.deepEqual(Object.fromEntries(service.entities.posts), {
      "at://post": { author_id: "ann/1", content: null },
      second: {},
    });

    await client.deletePost("at://post");
    assert.deepEqual([...service.entities.posts.keys()], ["second"]);
    assert.equal(service.requests.length, 5);
  });

  it("exports, resets and erases a user", async () => {
    await client.trackBatch([{ user_id: "ann/1", post_id: POST, interaction_type: "like", event_id: EVENT }]);
    await client.feedback({ user_id: "ann/1", action: "mute_word", word: "rain" });

    const { interactions, controls } = await client.exportUser("ann/1");
    assert.deepEqual([interactions.length, controls.length], [1, 1]);

    assert.equal((await client.resetUser("ann/1")).status, "reset");
    assert.deepEqual((await client.exportUser("ann/1")).interactions, []);
    assert.equal((await client.eraseUser("ann/1")).status, "erased");
    assert.equal(service.requests.at(-1)?.path, "/users/ann%2F1");
  });

  it("returns the number of new posts of a list", async () => {
    service.newPosts = 101;
    const { next_cursor } = (await client.recommendations({ user_id: "ann" })).metadata;

    assert.deepEqual(await client.updates({ user_id: "ann", cursor: next_cursor ?? "" }), { new: 100, capped: true });
    assert.equal((await failure(client.updates({ user_id: "bob", cursor: next_cursor ?? "" }))).code, "invalid_cursor");
  });

  it("ranks given posts, and reads similar posts, suggested users and pages of several users", async () => {
    const calls: string[] = [];
    const answers: Record<string, object> = {
      rank: { recommendations: [] },
      similar: { recommendations: [] },
      batch: { pages: [] },
    };
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const request = new Request(input, init);
      calls.push(`${request.method} ${request.url} ${await request.text()}`.trim());
      return Response.json(answers[/rank|similar|batch/.exec(request.url)?.[0] ?? ""] ?? { users: [] });
    };
    const other = new FeedServiceClient({ baseUrl: "http://feed", fetch });

    assert.deepEqual(await other.rank({ user_id: "ann", post_ids: ["a"] }), { recommendations: [] });
    await other.similar("a b", { userId: "ann & bob", limit: 3 });
    await other.similar("a");
    assert.deepEqual(await other.suggestedFollows("ann/1", { limit: 5 }), { users: [] });

    assert.deepEqual(await other.recommendationsBatch({ user_ids: ["ann", "bob"], limit: 5 }), { pages: [] });

    assert.deepEqual(calls, [
      'POST http://feed/recommendations/rank {"user_id":"ann","post_ids":["a"]}',
      "GET http://feed/posts/a%20b/similar?user_id=ann%20%26%20bob&limit=3",
      "GET http://feed/posts/a/similar",
      "GET http://feed/users/ann%2F1/suggested-follows?limit=5",
      'POST http://feed/recommendations/batch {"user_ids":["ann","bob"],"limit":5}',
    ]);
    answers["similar"] = {};
    assert.equal((await failure(other.similar("a"))).kind, "malformed");
  });

  it("merges users, and reports an unconfirmed merge", async () => {
    let body: object = { status: "merged", merged_at: "2026-03-01T12:00:00Z", stores: [] };
    const sent: string[] = [];
    const other = new FeedServiceClient({
      baseUrl: "http://feed",
      fetch: async (input, init) => {
        const request = new Request(input, init);
        sent.push(`${request.method} ${request.url} ${await request.text()}`);
        return Response.json(body, { status: 202 });
      },
    });

    assert.deepEqual(await other.mergeUsers("ann", "visitor 7"), body);
    assert.deepEqual(sent, ['POST http://feed/users/ann/merge {"from_user_id":"visitor 7"}']);
    body = {};
    assert.equal((await failure(other.mergeUsers("ann", "visitor 7"))).kind, "malformed");
  });

  it("reports an unconfirmed follow and a missing number as malformed", async () => {
    service.behaviour = { kind: "wrong shape" };

    const calls = [
      client.follow("ann", "bob"),
      client.unfollow("ann", "bob"),
      client.updates({ user_id: "ann", cursor: "x" }),
      client.putUser("ann", {}),
      client.putPosts([{ id: "a" }]),
      client.deletePost("a"),
      client.exportUser("ann"),
      client.resetUser("ann"),
      client.eraseUser("ann"),
    ];

    for (const error of await Promise.all(calls.map(failure))) assert.equal(error.kind, "malformed");
  });
});
