import { notFound } from "next/navigation";
import { ConsolePage } from "@/components/operator/console-page";
import { EngagementRates } from "@/components/operator/engagement-rates";
import { Remark, Section } from "@/components/operator/section";
import { ServiceState } from "@/components/operator/service-state";
import { TrafficHistory } from "@/components/operator/traffic-history";
import { TrafficSnapshot } from "@/components/operator/traffic-snapshot";
import { cn } from "@/components/ui/cn";
import { parseMetrics, trafficSnapshot } from "@/lib/feed/metrics-text";
import { findActiveModelProblem } from "@/lib/feed/model-comparison";
import { readModelRegistry } from "@/lib/feed/model-registry";
import { periodOf, TIME_RANGES, type TimeRange, timeRange } from "@/lib/feed/time-series";
import { config } from "@/lib/platform/config";
import { isDatabaseAvailable } from "@/lib/repositories/availability.repository";
import { readEngagement } from "@/lib/repositories/engagement-rate.repository";
import { AdminService } from "@/lib/services/admin-service";
import { MLServiceClient } from "@/lib/services/ml-service";
import { readTrafficHistory } from "@/lib/services/prometheus";

export const metadata = { title: "Traffic" };

interface TrafficPageProps {
  searchParams: Promise<{ range?: string | string[] }>;
}

export default async function TrafficPage({ searchParams }: TrafficPageProps) {
  if (!config.operatorPage) notFound();
  const range = timeRange((await searchParams).range);
  const nowMs = Date.now();
  const [health, models, isAvailable, requests, engagement] = await Promise.all([
    new MLServiceClient().getHealth(),
    readModelRegistry(),
    isDatabaseAvailable(),
    requestsSection(range, nowMs),
    readEngagement(range, nowMs),
  ]);
  return (
    <ConsolePage name="Traffic" about="How the service is, what it serves, and what people do with it.">
      <Section id="state" title="State">
        <ServiceState
          health={health}
          isDatabaseAvailable={isAvailable}
          isModelBad={findActiveModelProblem(models ?? []) !== null}
          feedPercent={config.feedPercent}
        />
      </Section>
      <RangeChoice chosen={range} />
      <Section id="requests" title="Requests">
        {requests}
      </Section>
      <Section id="ctr" title="Click-through rate (CTR)">
        {engagement.value === null ? (
          <Remark>{engagement.problem}</Remark>
        ) : (
          <EngagementRates {...engagement.value} range={range} nowMs={nowMs} />
        )}
      </Section>
    </ConsolePage>
  );
}

/** Figures over time from Prometheus where there is one, else what the service counted since it started. */
async function requestsSection(range: TimeRange, nowMs: number) {
  const { prometheusUrl } = config;
  if (prometheusUrl) {
    const history = await readTrafficHistory(prometheusUrl, range, nowMs);
    return <TrafficHistory history={history} period={periodOf(range, nowMs)} />;
  }
  const metrics = await new AdminService().metrics();
  if (metrics.value === null) return <Remark>{metrics.problem}</Remark>;
  return <TrafficSnapshot snapshot={trafficSnapshot(parseMetrics(metrics.value))} />;
}

function RangeChoice({ chosen }: { chosen: TimeRange }) {
  return (
    <nav aria-label="Period" className="mb-5 flex flex-wrap gap-1.5 text-sm">
      {TIME_RANGES.map(({ name, label }) => (
        <a
          key={name}
          href={`/operator?range=${name}`}
          aria-current={name === chosen.name ? "true" : undefined}
          className={cn(
            "rounded-full border border-line px-3.5 py-2",
            name === chosen.name ? "bg-ink text-paper" : "bg-raised hover:bg-sunken",
          )}
        >
          Last {label}
        </a>
      ))}
    </nav>
  );
}
