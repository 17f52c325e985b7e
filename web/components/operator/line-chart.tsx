import { cn } from "@/components/ui/cn";
import type { Series } from "@/lib/feed/time-series";
import { FigureTable } from "./figure-table";
import { Remark } from "./section";

interface LineChartProps {
  title: string;
  series: Series[];
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
];
/** Lines differ in their dashes too, because not everybody can distinguish the colours. */
const DASHES = ["", "6 3", "2 3", "10 3 2 3", "1 4", "12 4", "4 2 1 2"];
const [WIDTH, HEIGHT] = [100, 40];

/** Figures over time as lines from 0, with a legend and the same figures as a table. Times are in UTC. */
export function LineChart({ title, series, format }: LineChartProps) {
  const times = [...new Set(series.flatMap(({ points }) => points.map(({ timeMs }) => timeMs)))].sort((a, b) => a - b);
  const values = series.flatMap(({ points }) => points.flatMap(({ value }) => (value === null ? [] : [value])));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const largest = Math.max(...values, 0) || 1;
  const isDaily = last - first > 86_400_000;
  const x = (timeMs: number) => ((timeMs - first) / (last - first || 1)) * WIDTH;
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
            {series.map(({ name, points }, index) => (
              <path
                key={name}
                d={pathOf(points.map(({ timeMs, value }) => (value === null ? null : [x(timeMs), y(value)])))}
                fill="none"
                stroke="currentColor"
                strokeWidth="2"
                strokeLinecap="round"
                strokeLinejoin="round"
                strokeDasharray={DASHES[index % DASHES.length]}
                vectorEffect="non-scaling-stroke"
                className={COLOURS[index % COLOURS.length]}
              />
            ))}
          </svg>
          <p className="flex justify-between text-xs text-soft tabular-nums">
            <span>{formatStep(first, isDaily)}</span>
            <span>{formatStep(last, isDaily)} UTC</span>
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
            <line x1="0" x2="24" y1="2" y2="2" stroke="currentColor" strokeWidth="3" strokeDasharray={DASHES[index]} />
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

/** A path through the points with gaps where there is none; a point between two gaps is a dot. */
function pathOf(points: (readonly [number, number] | null)[]): string {
  const commands: string[] = [];
  points.forEach((point, index) => {
    if (point === null) return;
    const [x, y] = point.map((coordinate) => coordinate.toFixed(2));
    const isStart = points[index - 1] == null;
    commands.push(isStart ? `M${x} ${y}` : `L${x} ${y}`);
    if (isStart && points[index + 1] == null) commands.push("l0 0");
  });
  return commands.join(" ");
}

function formatStep(timeMs: number, isDaily: boolean): string {
  const time = new Date(timeMs).toISOString();
  return isDaily ? `${time.slice(5, 10)} ${time.slice(11, 16)}` : time.slice(11, 16);
}
