import { FigureTable } from "./figure-table";
import { Remark } from "./section";

/** A difference on one day, with its interval; without one if there were too few users. */
export interface DayDifference {
  /** As "2026-12-01". */
  day: string;
  difference: number;
  low: number | null;
  high: number | null;
}

interface EffectChartProps {
  title: string;
  days: DayDifference[];
  /** Writes a difference with its sign. */
  format: (value: number) => string;
}

const [WIDTH, HEIGHT] = [100, 40];

/** Differences by day as points with their intervals around a line at 0, and the same figures as a table. */
export function EffectChart({ title, days, format }: EffectChartProps) {
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return <Remark>No day has ended yet.</Remark>;
  const values = days.flatMap(({ difference, low, high }) => [difference, low ?? difference, high ?? difference]);
  const [least, largest] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = largest - least || 1;
  const x = (index: number) => ((index + 0.5) / days.length) * WIDTH;
  const y = (value: number) => HEIGHT - ((value - least) / span) * HEIGHT;
  const summary = `${format(first.difference)} on ${first.day}, ${format(last.difference)} on ${last.day}`;
  return (
    <figure className="min-w-0 rounded-card border border-line bg-raised px-4.5 py-4">
      <figcaption className="font-bold">{title}</figcaption>
      <p className="mt-1 text-xs text-soft tabular-nums">{format(largest)}</p>
      <svg
        viewBox={`-0.5 -1 ${WIDTH + 1} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${summary}`}
        className="h-40 w-full text-series-1"
      >
        <title>{title}</title>
        <desc>{summary}</desc>
        <g stroke="currentColor" strokeLinecap="round">
          <path
            d={`M0 ${y(0)}H${WIDTH}`}
            strokeWidth="1"
            strokeDasharray="4 3"
            vectorEffect="non-scaling-stroke"
            className="text-soft"
          />
          {days.map(({ day, difference, low, high }, index) => (
            <g key={day}>
              {low !== null && high !== null && (
                <path d={`M${x(index)} ${y(low)}V${y(high)}`} strokeWidth="2" vectorEffect="non-scaling-stroke" />
              )}
              <path d={`M${x(index)} ${y(difference)}l0 0`} strokeWidth="7" vectorEffect="non-scaling-stroke" />
            </g>
          ))}
        </g>
      </svg>
      <p className="text-xs text-soft tabular-nums">{format(least)}</p>
      <p className="flex justify-between text-xs text-soft tabular-nums">
        <span>{first.day}</span>
        <span>{last.day}</span>
      </p>
      <details className="mt-2 text-sm">
        <summary className="text-soft">Figures as a table</summary>
        <div className="mt-2">
          <FigureTable
            label={`${title}, figures`}
            columns={[{ label: "Day (UTC)" }, { label: "Difference", isNumber: true }, { label: "Interval" }]}
            rows={days.map(({ day, difference, low, high }) => ({
              key: day,
              cells: [
                day,
                format(difference),
                low === null || high === null ? "–" : `${format(low)} to ${format(high)}`,
              ],
            }))}
          />
        </div>
      </details>
    </figure>
  );
}
