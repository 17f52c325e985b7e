import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { FakeFeedService } from "@feed/client/testing";
import { MLServiceClient } from "@/lib/services/ml-service";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("the service, asked during a request", () => {
  const service = new FakeFeedService(["11111111-1111-4111-8111-111111111111"]);

  before(async () => {
    await service.start();
    process.env["ML_SERVICE_URL"] = service.url;
  });
  after(async () => {
    delete process.env["ML_SERVICE_URL"];
    await service.stop();
  });
  beforeEach(() => {
    service.requests.length = 0;
  });

  const during = (headers: Record<string, string>) =>
    MLServiceClient.during(new Request("http://feed.example/api/feeds", { headers }));

  it("is told of the trace that the request belongs to, and of nothing else from it", async () => {
    await during({ traceparent: PARENT, tracestate: "vendor=1", cookie: "feed_user=ann" }).getRecommendations("ann");

    const sent = service.requests[0]?.headers;
    assert.deepEqual([sent?.["traceparent"], sent?.["tracestate"], sent?.["cookie"]], [PARENT, "vendor=1", undefined]);
  });

  it("is told of no trace where the request has none", async () => {
    await during({}).getRecommendations("ann");

    assert.equal(service.requests[0]?.headers["traceparent"], undefined);
  });
});
