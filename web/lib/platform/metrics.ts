type Labels = Record<string, string>;

const BUCKETS_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 3.5, 5];
/** A user counts as active for this long after their last page. */
const ACTIVE_USER_MS = 5 * 60 * 1000;
const MAX_TRACKED_USERS = 100_000;

/** The counters, histograms and gauges of this process, rendered in the text format of Prometheus. */
export class Metrics {
  private readonly counters = new Map<string, number>();
  private readonly histograms = new Map<string, { counts: number[]; sum: number; count: number }>();
  private readonly lastSource = new Map<string, { source: string; servedAtMs: number }>();

  count(name: string, labels: Labels, increment = 1): void {
    const key = name + formatLabels(labels);
    this.counters.set(key, (this.counters.get(key) ?? 0) + increment);
  }

  observeSeconds(name: string, seconds: number): void {
    const histogram = this.histograms.get(name) ?? { counts: BUCKETS_SECONDS.map(() => 0), sum: 0, count: 0 };
    BUCKETS_SECONDS.forEach((bound, index) => {
      if (seconds <= bound) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    });
    histogram.sum += seconds;
    histogram.count += 1;
    this.histograms.set(name, histogram);
  }

  /** Records the source of the user's last page, from which the number of active users by source is computed. */
  recordServed(userId: string, source: string, nowMs: number): void {
    this.lastSource.delete(userId); // moves the user to the end, so that the map stays in order of time
    this.lastSource.set(userId, { source, servedAtMs: nowMs });
    const oldest = this.lastSource.keys().next();
    if (this.lastSource.size > MAX_TRACKED_USERS && !oldest.done) this.lastSource.delete(oldest.value);
  }

  render(nowMs: number): string {
    const lines: string[] = [];
    const families = new Map<string, string[]>();
    for (const [key, value] of this.counters) {
      const name = key.split("{")[0] ?? key;
      families.set(name, [...(families.get(name) ?? []), `${key} ${value}`]);
    }
    for (const [name, samples] of families) lines.push(`# TYPE ${name} counter`, ...samples);
    for (const [name, { counts, sum, count }] of this.histograms) {
      lines.push(`# TYPE ${name} histogram`);
      BUCKETS_SECONDS.forEach((bound, index) => lines.push(`${name}_bucket{le="${bound}"} ${counts[index]}`));
      lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sum}`, `${name}_count ${count}`);
    }
    lines.push("# TYPE web_feed_active_users gauge");
    for (const [source, count] of this.countActiveUsers(nowMs)) {
      lines.push(`web_feed_active_users{source="${source}"} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }

  private countActiveUsers(nowMs: number): Map<string, number> {
    const counts = new Map([
      ["ml_recommendations", 0],
      ["random_fallback", 0],
      ["unavailable", 0],
    ]);
    for (const [userId, { source, servedAtMs }] of this.lastSource) {
      if (nowMs - servedAtMs > ACTIVE_USER_MS) this.lastSource.delete(userId);
      else counts.set(source, (counts.get(source) ?? 0) + 1);
    }
    return counts;
  }
}

/** The labels as `{name="value"}`. Quotes, backslashes and line ends in values become `_`. */
function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, "_")}"`);
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}

// Next.js may bundle a copy of this module into each route; a global lets all of them share one instance.
const shared = globalThis as typeof globalThis & { feedMetrics?: Metrics };
export const metrics = (shared.feedMetrics ??= new Metrics());
