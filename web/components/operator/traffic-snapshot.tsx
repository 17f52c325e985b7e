import type { TrafficSnapshot as Snapshot } from "@/lib/feed/metrics-text";
import { FigureTable } from "./figure-table";
import { formatName } from "./names";
import { Remark } from "./section";
import { milliseconds, share } from "./traffic-history";

/** What one process of the service counted since it started, where there is no Prometheus. */
export function TrafficSnapshot({ snapshot: { requests, latency, isDegraded } }: { snapshot: Snapshot }) {
  const total = [...requests.values()].reduce((sum, count) => sum + count, 0);
  return (
    <>
      <p className="mb-3">
        {total.toLocaleString("en")} feed requests since the process started.{" "}
        {isDegraded !== null && `It is ${isDegraded ? "degraded" : "not degraded"} now.`}
      </p>
      <div className="grid gap-3.5 lg:grid-cols-2">
        <FigureTable
          label="Source of the lists"
          columns={[{ label: "Source" }, { label: "Requests", isNumber: true }, { label: "Share", isNumber: true }]}
          rows={[...requests].map(([source, count]) => ({
            key: source,
            cells: [formatName(source), count.toLocaleString("en"), share(count / total)],
          }))}
        />
        <FigureTable
          label="Time by stage"
          columns={[{ label: "Stage" }, { label: "p50", isNumber: true }, { label: "p99", isNumber: true }]}
          rows={[...latency].map(([stage, { p50, p99 }]) => ({
            key: stage,
            cells: [stage, p50 === null ? "–" : milliseconds(p50), p99 === null ? "–" : milliseconds(p99)],
          }))}
        />
      </div>
      <Remark>
        The figures of all processes over time need a Prometheus: set PROMETHEUS_URL. Times are estimated from buckets.
      </Remark>
    </>
  );
}
