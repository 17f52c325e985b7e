import { cn } from "@/components/ui/cn";
import type { Period, Series } from "@/lib/feed/time-series";
import { FigureTable } from "./figure-table";
import { Remark } from "./section";

interface LineChartProps {
  title: string;
  series: Series[];
  period: Period;
  /** Writes a value with its unit. */
  format: (value: number) => string;
}

const COLOURS = [
  "text-series-1",
  "text-series-2",
  "text-series-3",
  "text-series-4",
  "text-series-5",
  "text-series-6",
  "text-series-7",
  "text-ink",
];
/** Lines differ in their dashes too, because not everybody can distinguish the colours. */
const DASHES = ["", "6 3", "2 3", "10 3 2 3", "1 4", "12 4", "4 2 1 2", "1 2"];
const DAY_MS = 86_400_000;
const [WIDTH, HEIGHT] = [100, 40];

/** Figures over time as lines from 0, with a legend and the same figures as a table. Times are in UTC. */
export function LineChart({ title, series, period: { fromMs, toMs }, format }: LineChartProps) {
  const times = [...new Set(series.flatMap(({ points }) => points.map(({ timeMs }) => timeMs)))].sort((a, b) => a - b);
  const values = series.flatMap(({ points }) => points.flatMap(({ value }) => (value === null ? [] : [value])));
  const largest = Math.max(...values, 0) || 1;
  const isDaily = toMs - fromMs > DAY_MS;
  const x = (timeMs: number) => ((timeMs - fromMs) / (toMs - fromMs)) * WIDTH;
  const y = (value: number) => HEIGHT - (value / largest) * HEIGHT;
  return (
    <figure className="min-w-0 rounded-card border border-line bg-raised px-4.5 py-4">
      <figcaption className="font-bold">{title}</figcaption>
      {values.length === 0 ? (
        <Remark>No figures in this period.</Remark>
      ) : (
        <>
          <p className="mt-1 text-xs text-soft tabular-nums">{format(largest)}</p>
          <svg
            viewBox={`-0.5 -1 ${WIDTH + 1} ${HEIGHT + 2}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`${title}: ${summaryOf(series, format)}`}
            className="h-32 w-full border-b border-line"
          >
            <title>{title}</title>
            <desc>{summaryOf(series, format)}</desc>
            {series.map(({ name, points }, index) => {
              const places = points.map(({ timeMs, value }) =>
                value === null ? null : ([x(timeMs), y(value)] as const),
              );
              return (
                <g
                  key={name}
                  fill="none"
                  stroke="currentColor"
                  strokeLinecap="round"
                  strokeLinejoin="round"
                  className={COLOURS[index % COLOURS.length]}
                >
                  <path
                    d={linesThrough(places)}
                    strokeWidth="2"
                    strokeDasharray={DASHES[index % DASHES.length]}
                    vectorEffect="non-scaling-stroke"
                  />
                  <path d={dotsAt(places)} strokeWidth="6" vectorEffect="non-scaling-stroke" />
                </g>
              );
            })}
          </svg>
          <p className="flex justify-between text-xs text-soft tabular-nums">
            <span>{formatStep(fromMs, isDaily)}</span>
            <span>{formatStep(toMs, isDaily)} UTC</span>
          </p>
          <Legend series={series} format={format} />
          <details className="mt-2 text-sm">
            <summary className="text-soft">Figures as a table</summary>
            <div className="mt-2">
              <FigureTable
                label={`${title}, figures`}
                columns={[{ label: "Time (UTC)" }, ...series.map(({ name }) => ({ label: name, isNumber: true }))]}
                rows={times.map((timeMs) => ({
                  key: `${timeMs}`,
                  cells: [
                    formatStep(timeMs, isDaily),
                    ...series.map(({ points }) => {
                      const value = points.find((point) => point.timeMs === timeMs)?.value ?? null;
                      return value === null ? "–" : format(value);
                    }),
                  ],
                }))}
              />
            </div>
          </details>
        </>
      )}
    </figure>
  );
}

function Legend({ series, format }: Pick<LineChartProps, "series" | "format">) {
  return (
    <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm">
      {series.map((one, index) => (
        <li key={one.name} className="flex min-w-0 items-center gap-1.5">
          <svg
            viewBox="0 0 24 4"
            aria-hidden="true"
            className={cn("h-1 w-6 shrink-0", COLOURS[index % COLOURS.length])}
          >
            <line
              x1="0"
              x2="24"
              y1="2"
              y2="2"
              stroke="currentColor"
              strokeWidth="3"
              strokeDasharray={DASHES[index % DASHES.length]}
            />
          </svg>
          <span className="wrap-anywhere">{one.name}</span>
          <strong className="tabular-nums">{formatLast(one, format)}</strong>
        </li>
      ))}
    </ul>
  );
}

function formatLast({ points }: Series, format: LineChartProps["format"]): string {
  const last = points.findLast(({ value }) => value !== null)?.value;
  return last == null ? "–" : format(last);
}

function summaryOf(series: Series[], format: LineChartProps["format"]): string {
  return `the last figures are ${series.map((one) => `${one.name} ${formatLast(one, format)}`).join(", ")}`;
}

type Place = readonly [number, number] | null;

/** A path through the places, with gaps where there is none. */
function linesThrough(places: Place[]): string {
  return places
    .map((place, index) => place && `${places[index - 1] ? "L" : "M"}${place[0].toFixed(2)} ${place[1].toFixed(2)}`)
    .join(" ");
}

/** Dots at the places between two gaps, where no line is. */
function dotsAt(places: Place[]): string {
  return places
    .filter(
      (place, index): place is readonly [number, number] => place !== null && !places[index - 1] && !places[index + 1],
    )
    .map(([x, y]) => `M${x.toFixed(2)} ${y.toFixed(2)}l0 0`)
    .join(" ");
}

function formatStep(timeMs: number, isDaily: boolean): string {
  const time = new Date(timeMs).toISOString();
  return isDaily ? `${time.slice(5, 10)} ${time.slice(11, 16)}` : time.slice(11, 16);
}
