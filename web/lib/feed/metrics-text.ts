/** One sample of the text format of Prometheus. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+([+-]?(?:\d\S*|Inf|NaN))(?:\s|$)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text; comments and lines of another form are skipped. */
export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line): Sample[] => {
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (!name || line.startsWith("#")) return [];
    const entries = [...labels.matchAll(LABEL)].map(([, key = "", label = ""]) => [key, label] as const);
    return [{ name, labels: Object.fromEntries(entries), value: Number(value?.replace("Inf", "Infinity")) }];
  });
}

/** What a process of the service counted since it started. */
export interface TrafficSnapshot {
  /** Responses to feed requests by the source of the list; failed ones by their status. */
  requests: Map<string, number>;
  /** The estimated median and 99th percentile of the time of each stage, in seconds; null without requests. */
  latency: Map<string, { p50: number | null; p99: number | null }>;
  isDegraded: boolean | null;
}

/** Sums up the metrics of a process. */
export function trafficSnapshot(samples: readonly Sample[]): TrafficSnapshot {
  const requests = new Map<string, number>();
  const buckets = new Map<string, Bucket[]>();
  let isDegraded: boolean | null = null;
  for (const { name, labels, value } of samples) {
    if (name === "ml_recommendation_requests_total") {
      const key = labels["status"] === "200" ? (labels["source"] ?? "unknown") : `status ${labels["status"]}`;
      requests.set(key, (requests.get(key) ?? 0) + value);
    } else if (name === "ml_recommendation_latency_seconds_bucket") {
      const stage = labels["stage"] ?? "";
      const ofStage = buckets.get(stage) ?? [];
      ofStage.push({ bound: Number(labels["le"]?.replace("+Inf", "Infinity")), count: value });
      buckets.set(stage, ofStage);
    } else if (name === "ml_degraded") isDegraded = value > 0;
  }
  const latency = new Map(
    [...buckets].map(([stage, ofStage]) => [stage, { p50: quantile(ofStage, 0.5), p99: quantile(ofStage, 0.99) }]),
  );
  return { requests, latency, isDegraded };
}

interface Bucket {
  /** The upper bound. */
  bound: number;
  /** Observations up to the bound. */
  count: number;
}

/** The value below which a share of the observations lies, as `histogram_quantile` estimates it. */
export function quantile(buckets: readonly Bucket[], share: number): number | null {
  const sorted = [...buckets].sort((a, b) => a.bound - b.bound);
  const rank = share * (sorted.at(-1)?.count ?? 0);
  if (rank === 0) return null;
  const index = sorted.findIndex(({ count }) => count >= rank);
  const [below, found] = [sorted[index - 1] ?? { bound: 0, count: 0 }, sorted[index]];
  if (!found) return null;
  if (found.bound === Infinity) return below.bound;
  return below.bound + ((found.bound - below.bound) * (rank - below.count)) / (found.count - below.count);
}
