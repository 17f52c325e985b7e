import { z } from "zod";
import { type Series, startOf, type TimeRange } from "@/lib/feed/time-series";
import { type Answer, answered, unanswered } from "./answer";

const TIMEOUT_MS = 2000;
/** Rates need two samples: scrapes are seconds apart, and may fail. */
const MIN_WINDOW_SECONDS = 300;

const matrix = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])),
      }),
    ),
  }),
});
const failure = z.object({ error: z.string() });

/** What Prometheus knows about the traffic over time. Each figure may fail on its own. */
export interface TrafficHistory {
  requestsPerSecond: Answer<Series[]>;
  /** Seconds by stage. */
  latencyP50: Answer<Series[]>;
  latencyP99: Answer<Series[]>;
  /** Feed requests a second by the source of the list. */
  sources: Answer<Series[]>;
  degraded: Answer<Series[]>;
}

/** Reads the traffic of a range up to now. All queries together have two seconds. */
export async function readTrafficHistory(baseUrl: string, range: TimeRange, nowMs: number): Promise<TrafficHistory> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const window = `${Math.max(range.stepSeconds, MIN_WINDOW_SECONDS)}s`;
  const latency = (quantile: number) =>
    `histogram_quantile(${quantile}, sum by (stage, le) (rate(ml_recommendation_latency_seconds_bucket[${window}])))`;
  const pages = (selector: string) => `sum(rate(web_feed_pages_total${selector}[${window}]))`;
  const run = (query: string, nameOf: (labels: Record<string, string>) => string | undefined) =>
    queryRange(baseUrl, query, range, nowMs, signal, nameOf);
  const [requestsPerSecond, latencyP50, latencyP99, sources, serviceDegraded, pagesWithoutRanking] = await Promise.all([
    run(`sum(rate(ml_recommendation_requests_total[${window}]))`, () => "requests"),
    run(latency(0.5), ({ stage }) => stage),
    run(latency(0.99), ({ stage }) => stage),
    run(`sum by (source) (rate(ml_recommendation_requests_total{status="200"}[${window}]))`, ({ source }) => source),
    run(`max(avg_over_time(ml_degraded[${window}]))`, () => "time that the service was degraded"),
    run(
      `(${pages('{source!~"ml_recommendations|own_order"}')} or vector(0)) / ${pages("")}`,
      () => "pages without recommendations, in the web application",
    ),
  ]);
  return { requestsPerSecond, latencyP50, latencyP99, sources, degraded: joined(serviceDegraded, pagesWithoutRanking) };
}

function joined(first: Answer<Series[]>, second: Answer<Series[]>): Answer<Series[]> {
  if (first.value === null) return first;
  return second.value === null ? second : answered([...first.value, ...second.value]);
}

async function queryRange(
  baseUrl: string,
  query: string,
  range: TimeRange,
  nowMs: number,
  signal: AbortSignal,
  nameOf: (labels: Record<string, string>) => string | undefined,
): Promise<Answer<Series[]>> {
  const times = { start: `${startOf(range, nowMs) / 1000}`, end: `${nowMs / 1000}`, step: `${range.stepSeconds}` };
  const url = `${baseUrl.replace(/\/+$/, "")}/api/v1/query_range?${new URLSearchParams({ query, ...times })}`;
  try {
    const response = await fetch(url, { signal, cache: "no-store" });
    const body: unknown = await response.json();
    if (!response.ok) return unanswered(`Prometheus answered with status ${response.status}: ${reasonOf(body)}`);
    const { data, success } = matrix.safeParse(body);
    if (!success) return unanswered("Prometheus gave an answer of another form.");
    return answered(
      data.data.result.map(({ metric, values }) => ({
        name: nameOf(metric) ?? "other",
        points: values.map(([seconds, text]) => ({ timeMs: seconds * 1000, value: finiteOrNull(text) })),
      })),
    );
  } catch {
    return unanswered(
      signal.aborted
        ? `Prometheus did not answer within ${TIMEOUT_MS / 1000} seconds.`
        : "Prometheus does not respond at PROMETHEUS_URL.",
    );
  }
}

function reasonOf(body: unknown): string {
  return failure.safeParse(body).data?.error ?? "no reason";
}

function finiteOrNull(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
