import { metrics } from "@/lib/metrics";

export const dynamic = "force-dynamic";

/** For Prometheus. */
export function GET(): Response {
  return new Response(metrics.render(Date.now()), { headers: { "Content-Type": "text/plain; version=0.0.4" } });
}
