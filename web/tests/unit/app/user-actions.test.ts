/** The routes that change data of the session's user, with a fake service. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { beforeEach, describe, it } from "vitest";
import { POST as postRetraction } from "@/app/api/events/retract/route";
import { POST as postEvents } from "@/app/api/events/route";
import { POST as postFeedback } from "@/app/api/feedback/route";
import { POST as postFollow } from "@/app/api/follows/route";
import { POST as postImpressions } from "@/app/api/impressions/route";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { sessionCookie } from "@/tests/support/session";

const ID = "11111111-1111-4111-8111-111111111111";
const HIDE = { action: "hide_post", post_id: ID, event_id: "22222222-2222-4222-8222-222222222222" };
const LIKE = { post_id: ID, interaction_type: "like" };
const EVENT = { ...LIKE, event_id: "33333333-3333-4333-8333-333333333333", occurred_at: "2026-03-01T12:00:00.000Z" };

const FOLLOW = { author_id: "bob", follows: true };
const SEEN = { pages: [{ request_id: "r1", seen: [ID] }] };

/** The session of Ann with another signature. */
const forgedCookie = async () => (await sessionCookie("ann")).replace(/[^.]+$/, "A".repeat(43));

describe("a route that changes data", () => {
  const service = new FakeFeedService([ID]);

  useFeedService(service);
  beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
    service.events.clear();
    service.controls.clear();
    service.seenReports.length = 0;
    service.feedbackIds.clear();
    service.follows.clear();
  });

  const requestOf = async (body: unknown, headers: Record<string, string> = {}) =>
    new NextRequest("http://feed.example/api", {
      method: "POST",
      headers: { cookie: await sessionCookie("ann"), ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const resultOf = async (response: Response) => {
    const { code = null } = (await response.json()) as { code?: string };
    return [response.status, code];
  };

  for (const [name, post, body, invalidCode] of [
    ["POST /api/events", postEvents, { events: [EVENT] }, "invalid_events"],
    ["POST /api/events/retract", postRetraction, LIKE, "invalid_retraction"],
    ["POST /api/feedback", postFeedback, HIDE, "invalid_feedback"],
    ["POST /api/follows", postFollow, FOLLOW, "invalid_follow"],
    ["POST /api/impressions", postImpressions, SEEN, "invalid_impressions"],
  ] as const) {
    describe(name, () => {
      it("accepts the action of the session's user", async () => {
        const response = await post(await requestOf({ ...body, user: "ann" }));

        assert.equal(response.status, 202);
        assert.equal(service.requests.length, 1);
      });

      for (const [problem, request, expected] of [
        ["no session", () => requestOf(body, { cookie: "" }), [401, "no_session"]],
        ["a forged session", async () => requestOf(body, { cookie: await forgedCookie() }), [401, "no_session"]],
        ["another site", () => requestOf(body, { "sec-fetch-site": "cross-site" }), [403, "foreign_origin"]],
        ["another user", () => requestOf({ ...body, user: "bob" }), [409, "other_user"]],
        ["an invalid body", () => requestOf({ user: "ann" }), [400, invalidCode]],
        ["a body that is not JSON", () => requestOf("{"), [400, invalidCode]],
        ["a long body", () => requestOf({ ...body, filler: "x".repeat(600_000) }), [413, "too_large"]],
      ] as const) {
        it(`rejects a request with ${problem}`, async () => {
          assert.deepEqual(await resultOf(await post(await request())), expected);
          assert.equal(service.requests.length, 0);
        });
      }

      it("returns 503 while the service is unavailable", async () => {
        service.behaviour = { kind: "status", status: 503, retryAfter: 7 };

        const response = await post(await requestOf(body));

        assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "7"]);
      });
    });
  }

  describe("what was seen", () => {
    it("is reported for the session's user, page by page", async () => {
      const pages = ["r1", "r2"].map((request_id) => ({ request_id, seen: [ID] }));

      await postImpressions(await requestOf({ pages: pages.map((page) => ({ ...page, user_id: "eve" })) }));

      assert.deepEqual(
        service.seenReports,
        pages.map((page) => ({ user_id: "ann", ...page })),
      );
    });

    it("is accepted for a visitor whom the service does not know", async () => {
      service.behaviour = { kind: "status", status: 404, code: "unknown_user" };

      assert.equal((await postImpressions(await requestOf(SEEN))).status, 202);
    });
  });

  describe("feedback", () => {
    it("is stored for the session's user, and undo takes it back", async () => {
      await postFeedback(await requestOf(HIDE));
      assert.deepEqual(
        service.controls.get("ann")?.map(({ action, post_id }) => [action, post_id]),
        [["hide_post", ID]],
      );

      await postFeedback(await requestOf({ ...HIDE, event_id: EVENT.event_id, undo: true }));
      assert.deepEqual(service.controls.get("ann"), []);
    });

    it("is sent with its event_id, so that a repetition is stored once", async () => {
      await postFeedback(await requestOf(HIDE));
      await postFeedback(await requestOf(HIDE));

      assert.equal(service.feedbackIds.size, 1);
      assert.equal((service.requests[1]?.body as { event_id: string } | undefined)?.event_id, HIDE.event_id);
    });

    for (const [status, code] of [
      [404, "unknown_post"],
      [409, "managed_elsewhere"],
    ] as const) {
      it(`returns the final answer ${code} of the service`, async () => {
        service.behaviour = { kind: "status", status, code };

        assert.deepEqual(await resultOf(await postFeedback(await requestOf(HIDE))), [status, code]);
      });
    }
  });

  describe("a retraction", () => {
    it("takes back the like of the session's user only", async () => {
      service.events.set("1", { user_id: "ann", post_id: ID, interaction_type: "like" });
      service.events.set("2", { user_id: "bob", post_id: ID, interaction_type: "like" });

      const response = await postRetraction(await requestOf({ ...LIKE, user_id: "bob" }));

      assert.deepEqual(await response.json(), { status: "retracted", removed: 1 });
      assert.deepEqual([...service.events.keys()], ["2"]);
    });
  });

  describe("a follow", () => {
    it("is stored for the session's user, and ends", async () => {
      await postFollow(await requestOf({ ...FOLLOW, user_id: "eve" }));
      assert.deepEqual([...(service.follows.get("ann") ?? [])], ["bob"]);

      const response = await postFollow(await requestOf({ ...FOLLOW, follows: false }));
      assert.deepEqual([response.status, await response.json()], [202, { status: "unfollowed" }]);
      assert.equal(service.follows.get("ann")?.size, 0);
    });

    for (const [body, expected] of [
      [{ author_id: "bob", follows: "yes" }, [400, "invalid_follow"]],
      [{ author_id: "", follows: true }, [400, "invalid_follow"]],
      [{ author_id: "ann", follows: true }, [422, "invalid_follow"]],
    ] as const) {
      it(`with ${JSON.stringify(body)} is rejected`, async () => {
        assert.deepEqual(await resultOf(await postFollow(await requestOf(body))), expected);
      });
    }

    it("returns the final answer of a service that does not store follows", async () => {
      service.behaviour = { kind: "status", status: 409, code: "managed_elsewhere" };

      assert.deepEqual(await resultOf(await postFollow(await requestOf(FOLLOW))), [409, "managed_elsewhere"]);
    });
  });
});
