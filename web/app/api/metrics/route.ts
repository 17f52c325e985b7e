import { metrics } from "@/lib/platform/metrics";
import { renderModelFigures } from "@/lib/feed/model-registry";

export const dynamic = "force-dynamic";

/** For Prometheus. */
export async function GET(): Promise<Response> {
  const text = metrics.render(Date.now()) + (await renderModelFigures());
  return new Response(text, { headers: { "Content-Type": "text/plain; version=0.0.4" } });
}
