/** Counts of this process in Prometheus' text format; the three kinds that the web application needs. */

type Labels = Record<string, string>;

const BUCKETS_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 3.5, 5];
/** A user counts as served by the source of his last page, for this long. */
const USER_WINDOW_MS = 5 * 60 * 1000;
const MAX_USERS = 100_000;

export class Metrics {
  private readonly counters = new Map<string, number>();
  private readonly histograms = new Map<string, { counts: number[]; sum: number; count: number }>();
  private readonly lastSource = new Map<string, { source: string; at: number }>();

  count(name: string, labels: Labels, by = 1): void {
    const key = name + text(labels);
    this.counters.set(key, (this.counters.get(key) ?? 0) + by);
  }

  observeSeconds(name: string, seconds: number): void {
    const found = this.histograms.get(name) ?? { counts: BUCKETS_SECONDS.map(() => 0), sum: 0, count: 0 };
    BUCKETS_SECONDS.forEach((bound, place) => {
      if (seconds <= bound) found.counts[place] = (found.counts[place] ?? 0) + 1;
    });
    found.sum += seconds;
    found.count += 1;
    this.histograms.set(name, found);
  }

  /** Remembers which source served the user, so that the share of users on the fallback can be told. */
  served(user: string, source: string, now: number): void {
    this.lastSource.delete(user); // to the end: the map is in order of time
    this.lastSource.set(user, { source, at: now });
    const oldest = this.lastSource.keys().next();
    if (this.lastSource.size > MAX_USERS && !oldest.done) this.lastSource.delete(oldest.value);
  }

  render(now: number): string {
    const lines: string[] = [];
    const families = new Map<string, string[]>();
    for (const [key, value] of this.counters) {
      const name = key.split("{")[0] ?? key;
      families.set(name, [...(families.get(name) ?? []), `${key} ${value}`]);
    }
    for (const [name, samples] of families) lines.push(`# TYPE ${name} counter`, ...samples);
    for (const [name, { counts, sum, count }] of this.histograms) {
      lines.push(`# TYPE ${name} histogram`);
      BUCKETS_SECONDS.forEach((bound, place) => lines.push(`${name}_bucket{le="${bound}"} ${counts[place]}`));
      lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sum}`, `${name}_count ${count}`);
    }
    lines.push("# TYPE web_feed_active_users gauge");
    for (const [source, users] of this.activeUsers(now))
      lines.push(`web_feed_active_users{source="${source}"} ${users}`);
    return `${lines.join("\n")}\n`;
  }

  private activeUsers(now: number): Map<string, number> {
    const users = new Map([
      ["ml_recommendations", 0],
      ["random_fallback", 0],
      ["unavailable", 0],
    ]);
    for (const [user, { source, at }] of this.lastSource) {
      if (now - at > USER_WINDOW_MS) this.lastSource.delete(user);
      else users.set(source, (users.get(source) ?? 0) + 1);
    }
    return users;
  }
}

function text(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, "_")}"`);
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}

// one for all routes: each may be bundled with a copy of this module
const shared = globalThis as typeof globalThis & { feedMetrics?: Metrics };
export const metrics = (shared.feedMetrics ??= new Metrics());
