/** `GET /api/posts/ID/explanation` with a fake service. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { beforeEach, describe, it } from "vitest";
import { GET } from "@/app/api/posts/[id]/explanation/route";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { sessionCookie } from "@/tests/support/session";

const POST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";

describe("GET /api/posts/ID/explanation", () => {
  const service = new FakeFeedService([POST]);

  useFeedService(service);
  beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
  });

  const explanation = async (id: string, user: string | null = "ann") => {
    const cookie = user ? await sessionCookie(user) : "";
    const request = new NextRequest(`http://feed.example/api/posts/${id}/explanation`, { headers: { cookie } });
    const response = await GET(request, { params: Promise.resolve({ id }) });
    const body = (await response.json()) as { code?: string };
    return [response.status, body.code ?? body] as const;
  };

  it("returns what the score is made of for the user of the session", async () => {
    const [status, body] = await explanation(POST);

    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body).sort(), ["factors", "reason"]);
    assert.deepEqual(service.requests[0]?.body, { user_id: "ann", post_ids: [POST], explain: true });
  });

  it("returns 404 for a post that is not in the feed of the user", async () => {
    assert.deepEqual(await explanation(OTHER), [404, "unknown_post"]);
    assert.deepEqual(await explanation("post-1"), [404, "unknown_post"]);
  });

  it("returns 503 while the service is unavailable, and 401 without a session", async () => {
    service.behaviour = { kind: "status", status: 500 };

    assert.deepEqual(await explanation(POST), [503, "explanation_unavailable"]);
    assert.deepEqual(await explanation(POST, null), [401, "no_session"]);
  });
});
