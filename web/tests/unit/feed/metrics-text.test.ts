import assert from "node:assert/strict";
import { Histogram, Registry } from "prom-client";
import { describe, it } from "vitest";
import { parseMetrics, quantile, trafficSnapshot } from "@/lib/feed/metrics-text";

const TEXT = `# HELP ml_degraded 1 while a part is missing
# TYPE ml_degraded gauge
ml_degraded 0.0
ml_recommendation_requests_total{mode="ranked",source="personalized",status="200"} 90.0
ml_recommendation_requests_total{mode="newest",source="personalized",status="200"} 6.0
ml_recommendation_requests_total{mode="ranked",source="fallback",status="200"} 3.0
ml_recommendation_requests_total{mode="ranked",source="none",status="503"} 1.0
ml_recommendation_latency_seconds_bucket{le="0.001",stage="total"} 0.0
ml_recommendation_latency_seconds_bucket{le="0.002",stage="total"} 50.0
ml_recommendation_latency_seconds_bucket{le="0.01",stage="total"} 100.0
ml_recommendation_latency_seconds_bucket{le="+Inf",stage="total"} 100.0
other{text="a \\"quote\\", a comma"} 1e3 1700000000
half a line
`;

describe("the text of metrics", () => {
  it("is read with labels, and lines of another form are skipped", () => {
    const samples = parseMetrics(TEXT);

    assert.equal(samples.length, 10);
    assert.deepEqual(samples.at(-1), { name: "other", labels: { text: 'a \\"quote\\", a comma' }, value: 1000 });
  });

  it("is summed up by source and stage", () => {
    const { requests, latency, isDegraded } = trafficSnapshot(parseMetrics(TEXT));

    assert.deepEqual(Object.fromEntries(requests), { personalized: 96, fallback: 3, "status 503": 1 });
    assert.deepEqual(latency.get("total"), { p50: 0.002, p99: 0.00984 });
    assert.equal(isDegraded, false);
  });

  it("of a histogram gives quantiles within its buckets, and none without observations", async () => {
    const registry = new Registry();
    const name = "ml_recommendation_latency_seconds";
    const histogram = new Histogram({ name, help: "h", labelNames: ["stage"], buckets: [1, 2], registers: [registry] });
    histogram.observe({ stage: "score" }, 5);

    const { latency } = trafficSnapshot(parseMetrics(await registry.metrics()));

    assert.deepEqual(latency.get("score"), { p50: 2, p99: 2 }); // above the last bound, it is all that is known
    assert.equal(quantile([{ bound: Infinity, count: 0 }], 0.5), null);
  });
});
