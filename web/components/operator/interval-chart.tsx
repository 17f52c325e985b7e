import { cn } from "@/components/ui/cn";
import { decimals } from "@/lib/feed/model-comparison";
import type { Estimate } from "@/lib/feed/model-registry";

export interface IntervalRow extends Pick<Estimate, "mean" | "low" | "high"> {
  label: string;
  tone: keyof typeof COLOURS;
}

const COLOURS = { good: "text-good", bad: "text-bad", soft: "text-soft" };
const MARGIN = 3;

/**
 * Means as points and 95 % intervals as lines, on one scale, a row for each. `withZero` draws a line at 0, which an
 * interval crosses if it shows no difference.
 */
export function IntervalChart({ rows, label, withZero = false }: IntervalChartProps) {
  const values = rows.flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean]);
  if (withZero) values.push(0);
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const x = (value: number) => MARGIN + ((value - least) / span) * (100 - 2 * MARGIN);
  return (
    <ul aria-label={label} className="grid max-w-160 gap-1.5">
      {rows.map(({ label, mean, low, high, tone }) => (
        <li key={label} className="grid grid-cols-[6.5rem_minmax(3rem,1fr)_auto] items-center gap-3 text-sm">
          <span className="wrap-anywhere">{label}</span>
          <svg
            viewBox="0 0 100 10"
            preserveAspectRatio="none"
            aria-hidden="true"
            className={cn("h-6 w-full rounded-sm bg-sunken", COLOURS[tone])}
          >
            {withZero && <Stroke from={x(0)} to={x(0)} y={[0, 10]} width={1} className="text-soft" />}
            {low !== null && high !== null && <Stroke from={x(low)} to={x(high)} y={[5, 5]} width={3} />}
            <Stroke from={x(mean)} to={x(mean)} y={[5, 5]} width={11} />
          </svg>
          <span className="text-right tabular-nums">
            <strong>{decimals(mean)}</strong>
            <span className="text-soft max-sm:block"> {formatInterval({ low, high })}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}

interface IntervalChartProps {
  rows: IntervalRow[];
  /** Names the list for screen readers. */
  label: string;
  withZero?: boolean;
}

interface StrokeProps {
  from: number;
  to: number;
  y: [number, number];
  width: number;
  className?: string;
}

/** A line whose width does not follow the stretched picture; a dot where it begins and ends at one point. */
function Stroke({ from, to, y: [top, bottom], width, className }: StrokeProps) {
  return (
    <line
      x1={from}
      x2={to}
      y1={top}
      y2={bottom}
      stroke="currentColor"
      strokeWidth={width}
      strokeLinecap="round"
      vectorEffect="non-scaling-stroke"
      className={className}
    />
  );
}

/** An interval such as "(.31 to .35)"; "" if there is none. */
export function formatInterval({ low, high }: Pick<Estimate, "low" | "high">): string {
  return low === null || high === null ? "" : `(${decimals(low)} to ${decimals(high)})`;
}
