import type { Period, Series } from "@/lib/feed/time-series";
import type { Answer } from "@/lib/services/answer";
import type { TrafficHistory as History } from "@/lib/services/prometheus";
import { LineChart } from "./line-chart";
import { formatName } from "./names";
import { Remark } from "./section";

/** Requests, times, sources and degraded shares over time, from Prometheus. */
export function TrafficHistory({ history, period }: { history: History; period: Period }) {
  return (
    <ChartGrid>
      <Chart title="Feed requests a second" answer={history.requestsPerSecond} period={period} format={rate} />
      <Chart title="Source of the lists, requests a second" answer={history.sources} period={period} format={rate} />
      <Chart title="Median time by stage" answer={history.latencyP50} period={period} format={milliseconds} />
      <Chart
        title="99th percentile of the time by stage"
        answer={history.latencyP99}
        period={period}
        format={milliseconds}
      />
      <Chart title="Degraded share" answer={history.degraded} period={period} format={share} />
    </ChartGrid>
  );
}

/** Charts beside each other where there is room. */
export function ChartGrid({ children }: { children: React.ReactNode }) {
  return <div className="grid grid-cols-[repeat(auto-fit,minmax(min(22rem,100%),1fr))] gap-3.5">{children}</div>;
}

interface ChartProps {
  title: string;
  answer: Answer<Series[]>;
  period: Period;
  format: (value: number) => string;
}

function Chart({ title, answer, period, format }: ChartProps) {
  if (answer.value !== null) {
    const series = answer.value.map((one) => ({ ...one, name: formatName(one.name) }));
    return <LineChart title={title} series={series} period={period} format={format} />;
  }
  return (
    <figure className="rounded-card border border-line bg-raised px-4.5 py-4">
      <figcaption className="font-bold">{title}</figcaption>
      <Remark>{answer.problem}</Remark>
    </figure>
  );
}

function rate(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)}/s`;
}

export function milliseconds(seconds: number): string {
  const value = seconds * 1000;
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

export function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
