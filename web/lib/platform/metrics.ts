import { Counter, Gauge, Histogram, Registry } from "prom-client";

const BUCKETS_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 3.5, 5];
/** A user counts as active for this long after their last page. */
const ACTIVE_USER_MS = 5 * 60 * 1000;
const MAX_TRACKED_USERS = 100_000;

/** The counters, histograms and gauges of this process. */
export class Metrics {
  readonly registry = new Registry();
  readonly feedPages = this.counter("web_feed_pages_total", "Pages of the feed as users saw them", ["source", "mode"]);
  readonly feedPageSeconds = this.histogram("web_feed_page_seconds", "Time of a page of the feed");
  readonly events = this.counter("web_events_total", "Events of browsers", ["result"]);
  readonly feedback = this.counter("web_feedback_total", "Controls that users set or took back", ["action", "result"]);
  readonly settings = this.counter("web_settings_total", "Forms of the settings", ["form", "result"]);
  readonly follows = this.counter("web_follows_total", "Follows and their ends", ["result"]);
  readonly posts = this.counter("web_posts_total", "Posts that users wrote or deleted", ["result"]);
  readonly impressions = this.counter("web_impressions_total", "Pages of which browsers reported what was seen", [
    "result",
  ]);
  readonly shadowPages = this.counter("web_shadow_pages_total", "Pages of the service that no user saw", ["source"]);
  readonly shadowSeconds = this.histogram("web_shadow_seconds", "Time of a page that no user saw");
  readonly modelFigure = this.gauge("feed_model_figure", "Metrics of the active model", ["version", "figure"]);
  private readonly activeUsers = this.gauge("web_feed_active_users", "Users by the source of their last page", [
    "source",
  ]);
  private readonly lastSource = new Map<string, { source: string; servedAtMs: number }>();

  /** Records the source of the user's last page, from which the number of active users by source is computed. */
  recordServed(userId: string, source: string, nowMs: number): void {
    this.lastSource.delete(userId); // moves the user to the end, so that the map stays in order of time
    this.lastSource.set(userId, { source, servedAtMs: nowMs });
    const oldest = this.lastSource.keys().next();
    if (this.lastSource.size > MAX_TRACKED_USERS && !oldest.done) this.lastSource.delete(oldest.value);
  }

  /** All metrics in the text format of Prometheus. */
  render(nowMs: number): Promise<string> {
    for (const source of ["ml_recommendations", "random_fallback", "unavailable"]) this.activeUsers.set({ source }, 0);
    for (const [userId, { source, servedAtMs }] of this.lastSource) {
      if (nowMs - servedAtMs > ACTIVE_USER_MS) this.lastSource.delete(userId);
      else this.activeUsers.inc({ source });
    }
    return this.registry.metrics();
  }

  private counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: BUCKETS_SECONDS, registers: [this.registry] });
  }

  private gauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}

// Next.js may bundle a copy of this module into each route; a global lets all of them share one instance.
const shared = globalThis as typeof globalThis & { feedMetrics?: Metrics };
shared.feedMetrics ??= new Metrics();
export const metrics = shared.feedMetrics;
