import assert from "node:assert/strict";
import type { Recommendation, RecommendationRequest } from "@feed/client";
import { FakeFeedService } from "@feed/client/testing";
import { beforeEach, describe, it } from "vitest";
import { MLServiceClient, ServiceCursorRejected } from "@/lib/services/ml-service";
import { useFeedService } from "@/tests/support/fake-feed-service";

const POST_IDS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("the client of the recommendation service", () => {
  const service = new FakeFeedService(POST_IDS);
  let client: MLServiceClient;

  useFeedService(service);
  beforeEach(() => {
    service.behaviour = { kind: "healthy" };
    service.requests.length = 0;
    client = new MLServiceClient();
  });

  it("returns the recommendations of a user, best first", async () => {
    const recommendations: Recommendation[] | null = await client.getRecommendations("ann", 2);

    assert.deepEqual(
      recommendations?.map(({ post_id }) => post_id),
      POST_IDS,
    );
    assert.deepEqual(service.requests[0]?.body, { user_id: "ann", limit: 2 });
  });

  it("requests 50 recommendations by default", async () => {
    await client.getRecommendations("ann");

    assert.deepEqual(service.requests[0]?.body, { user_id: "ann", limit: 50 });
  });

  it("returns a page with its metadata for a full request", async () => {
    const request: RecommendationRequest = {
      user_id: "ann",
      limit: 1,
      exclude_ids: POST_IDS.slice(0, 1),
      context: { mode: "newest", exclude_seen: false },
    };

    const page = await client.getRecommendationPage(request);

    assert.deepEqual(
      page?.recommendations.map(({ post_id }) => post_id),
      POST_IDS.slice(1),
    );
    assert.equal(page?.metadata.model_version, "v1");
    assert.deepEqual(service.requests[0]?.body, request);
  });

  for (const behaviour of [{ kind: "status", status: 503 }, { kind: "broken json" }, { kind: "stalled" }] as const) {
    it(`returns null if the service responds with ${Object.values(behaviour).join(" ")}`, async () => {
      service.behaviour = behaviour;
      const impatient = new MLServiceClient(service.url, 200);

      assert.equal(await impatient.getRecommendations("ann", 2), null);
      assert.equal(await impatient.getRecommendationPage({ user_id: "ann" }), null);
    });
  }

  it("returns null if the request is aborted", async () => {
    service.behaviour = { kind: "stalled" };

    assert.equal(await client.getRecommendationPage({ user_id: "ann" }, { signal: AbortSignal.timeout(50) }), null);
  });

  for (const code of ["invalid_cursor", "expired_cursor"]) {
    it(`throws if the service rejects the cursor with ${code}`, async () => {
      service.behaviour = { kind: "status", status: 400, code };

      await assert.rejects(client.getRecommendationPage({ user_id: "ann", cursor: "old" }), ServiceCursorRejected);
    });
  }

  it("reports whether the service is healthy", async () => {
    const healthy = await client.healthCheck();
    service.behaviour = { kind: "status", status: 503 };

    assert.deepEqual([healthy, await client.healthCheck()], [true, false]);
  });

  const withTrace = (headers: Record<string, string>) =>
    MLServiceClient.withTraceOf(new Request("http://feed.example/api/feeds", { headers }));

  it("passes the trace headers of a request to the service, and no other header", async () => {
    const headers = { traceparent: TRACEPARENT, tracestate: "vendor=1", cookie: "feed_session=ann" };

    await withTrace(headers).getRecommendations("ann");

    const sent = service.requests[0]?.headers;
    assert.deepEqual(
      [sent?.["traceparent"], sent?.["tracestate"], sent?.["cookie"]],
      [TRACEPARENT, "vendor=1", undefined],
    );
  });

  it("sends no trace header if the request has none", async () => {
    await withTrace({}).getRecommendations("ann");

    assert.equal(service.requests[0]?.headers["traceparent"], undefined);
  });
});
