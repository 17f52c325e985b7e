import { renderModelMetrics } from "@/lib/feed/model-registry";
import { metrics } from "@/lib/platform/metrics";

export const dynamic = "force-dynamic";

/** `GET /api/metrics`: the metrics in the text format of Prometheus. */
export async function GET(): Promise<Response> {
  const text = metrics.render(Date.now()) + (await renderModelMetrics());
  return new Response(text, { headers: { "Content-Type": "text/plain; version=0.0.4" } });
}
