import { recordModelFigures } from "@/lib/feed/model-registry";
import { hasKey } from "@/lib/platform/access-key";
import { config } from "@/lib/platform/config";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";

export const dynamic = "force-dynamic";

/** `GET /api/metrics`: the metrics in the text format of Prometheus, for callers with `METRICS_KEY`. */
export async function GET(request: Request): Promise<Response> {
  const { metricsKey, isProduction } = config;
  if (metricsKey === undefined && isProduction) {
    return problem(404, "not_found", "the metrics are off; set METRICS_KEY to enable them");
  }
  if (metricsKey !== undefined && !hasKey(request.headers, metricsKey)) {
    const headers = { "WWW-Authenticate": "Bearer" };
    return problem(401, "invalid_key", "Authorization: must be Bearer and the value of METRICS_KEY", headers);
  }
  await recordModelFigures(metrics.modelFigure);
  return new Response(await metrics.render(Date.now()), { headers: { "Content-Type": metrics.registry.contentType } });
}
