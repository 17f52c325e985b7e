import {
  type EngagementCell,
  type EngagementRow,
  rateOf,
  ratesByPlace,
  ratesByReason,
} from "@/lib/feed/engagement-rate";
import { periodOf, type TimeRange } from "@/lib/feed/time-series";
import { FigureTable } from "./figure-table";
import { LineChart } from "./line-chart";
import { Remark } from "./section";
import { ChartGrid, share } from "./traffic-history";

interface EngagementRatesProps {
  cells: EngagementCell[];
  pages: number;
  range: TimeRange;
  nowMs: number;
}

/** The click-through rate by reason and by place of the page, over time and in the whole range. */
export function EngagementRates({ cells, pages, range, nowMs }: EngagementRatesProps) {
  if (pages === 0) return <Remark>No page was shown in this period.</Remark>;
  const byReason = ratesByReason(cells, range, nowMs);
  const period = periodOf(range, nowMs);
  const byPlace = ratesByPlace(cells, range, nowMs);
  return (
    <>
      <ChartGrid>
        <LineChart title="CTR by reason" series={byReason.map(({ series }) => series)} period={period} format={share} />
        <LineChart
          title="CTR by place of the page"
          series={byPlace.map(({ series }) => series)}
          period={period}
          format={share}
        />
        <RateTable label="CTR by reason, whole period" heading="Reason" rows={byReason} />
        <RateTable label="CTR by place, whole period" heading="Place" rows={byPlace} />
      </ChartGrid>
      <Remark>
        The share of posts on screen that the person clicked, liked, commented on or shared within a day, on{" "}
        {pages.toLocaleString("en")} ranked pages: all of the period, or a random sample. Where a client does not report
        what was on screen, all posts of the page count.
      </Remark>
    </>
  );
}

function RateTable({ label, heading, rows }: { label: string; heading: string; rows: EngagementRow[] }) {
  return (
    <FigureTable
      label={label}
      columns={[
        { label: heading },
        { label: "Shown", isNumber: true },
        { label: "Engaged", isNumber: true },
        { label: "CTR", isNumber: true },
      ]}
      rows={rows.map(({ label: name, ...counts }) => ({
        key: name,
        cells: [
          name,
          counts.shown.toLocaleString("en"),
          counts.engaged.toLocaleString("en"),
          share(rateOf(counts) ?? 0),
        ],
      }))}
    />
  );
}
