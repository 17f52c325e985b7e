import assert from "node:assert/strict";
import { it } from "vitest";
import { Metrics } from "@/lib/platform/metrics";

it("metrics count pages by source, and active users by the source of their last page", async () => {
  const metrics = new Metrics();
  metrics.feedPages.inc({ source: "ml_recommendations", mode: "ranked" });
  metrics.feedPages.inc({ source: "ml_recommendations", mode: "ranked" });
  metrics.recordServed("ann", "ml_recommendations", 0);
  metrics.recordServed("ann", "random_fallback", 1000);
  metrics.recordServed("bob", "ml_recommendations", 1000);

  const lines = (await metrics.render(2000)).split("\n");

  assert.ok(lines.includes('web_feed_pages_total{source="ml_recommendations",mode="ranked"} 2'));
  assert.ok(lines.includes('web_feed_active_users{source="random_fallback"} 1'));
  assert.ok(lines.includes('web_feed_active_users{source="ml_recommendations"} 1'));
});

it("metrics do not count users without a page in the last five minutes", async () => {
  const metrics = new Metrics();
  metrics.recordServed("ann", "random_fallback", 0);

  assert.match(await metrics.render(6 * 60_000), /web_feed_active_users\{source="random_fallback"\} 0/);
});

it("metrics count an observation in every bucket whose bound is not below it", async () => {
  const metrics = new Metrics();
  metrics.feedPageSeconds.observe(0.3);
  metrics.feedPageSeconds.observe(3.1);

  const text = await metrics.render(0);

  assert.match(text, /_bucket\{le="0.25"\} 0\n.*_bucket\{le="0.5"\} 1\n/);
  assert.match(text, /_bucket\{le="\+Inf"\} 2\nweb_feed_page_seconds_sum 3.4\nweb_feed_page_seconds_count 2/);
});
