/** `GET /api/updates` with a fake service. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { beforeEach, describe, it } from "vitest";
import { GET } from "@/app/api/updates/route";
import { encodeFeedCursor, firstPosition } from "@/lib/feed/cursor";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { sessionCookie } from "@/tests/support/session";

describe("GET /api/updates", () => {
  const service = new FakeFeedService(["11111111-1111-4111-8111-111111111111"]);

  useFeedService(service);
  beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
    service.newPosts = 3;
  });

  const cursorOf = (user: string, serviceCursor: string | null) =>
    encodeFeedCursor(user, { ...firstPosition("following"), serviceCursor });
  const updates = async (cursor: string, user: string | null = "ann") => {
    const url = `http://feed.example/api/updates?${new URLSearchParams({ cursor })}`;
    const response = await GET(new NextRequest(url, { headers: { cookie: user ? await sessionCookie(user) : "" } }));
    const body = (await response.json()) as { code?: string };
    return [response.status, body.code ?? body];
  };

  it("returns the number of new posts of the list of a cursor", async () => {
    assert.deepEqual(await updates(cursorOf("ann", "ann|following|")), [200, { new: 3, capped: false }]);
  });

  it("returns zero without a call for a list that the service did not make", async () => {
    assert.deepEqual(await updates(cursorOf("ann", null)), [200, { new: 0, capped: false }]);
    assert.equal(service.requests.length, 0);
  });

  it("returns zero if the service rejects its cursor", async () => {
    service.behaviour = { kind: "status", status: 410, code: "expired_cursor" };

    assert.deepEqual(await updates(cursorOf("ann", "ann|following|")), [200, { new: 0, capped: false }]);
  });

  it("returns 503 while the service is unavailable", async () => {
    service.behaviour = { kind: "status", status: 500 };

    assert.deepEqual(await updates(cursorOf("ann", "ann|following|")), [503, "updates_unavailable"]);
  });

  for (const [problem, cursor, user, expected] of [
    ["another user's cursor", cursorOf("bob", "bob|following|"), "ann", [400, "invalid_cursor"]],
    ["no cursor", "", "ann", [400, "invalid_cursor"]],
    ["no session", "x", null, [401, "no_session"]],
  ] as const) {
    it(`rejects a request with ${problem}`, async () => {
      assert.deepEqual(await updates(cursor, user), expected);
      assert.equal(service.requests.length, 0);
    });
  }
});
