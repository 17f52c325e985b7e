import type { PostExplanation } from "@/lib/feed/post";
import { barsOf, formatNumber, rawValues } from "./explanation-values";
import { cn } from "./ui/cn";

const MAX_BARS = 8;

/** Bars to the right raise the score of the post, bars to the left lower it. */
export function Bars({ explanation }: { explanation: PostExplanation }) {
  const bars = barsOf(explanation).slice(0, MAX_BARS);
  if (bars.length === 0) return null;
  const largest = Math.max(...bars.map(({ value }) => Math.abs(value)));
  return (
    <dl className="facts my-3 grid gap-1.5 text-sm">
      {bars.map(({ name, value }) => (
        <div key={name} className="grid grid-cols-2 items-center gap-2.5">
          <dt className="text-soft">{name}</dt>
          <dd className="grid grid-cols-[1fr_5ch] items-center gap-2 tabular-nums">
            <span className="relative block h-1.5 rounded-full bg-sunken">
              <span
                className={cn(
                  "absolute inset-y-0 bg-soft",
                  value < 0 ? "right-1/2 rounded-l-full" : "left-1/2 rounded-r-full",
                )}
                style={{ width: `${(Math.abs(value) / largest) * 50}%` }}
              />
            </span>
            <span className="text-right">
              {value > 0 && "+"}
              {formatNumber(value)}
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The values of an explanation that are not drawn as bars. */
export function RawValues({ explanation: { factors: _shownAsBars, ...values } }: { explanation: PostExplanation }) {
  return (
    <details className="text-xs">
      <summary className="text-soft">All values</summary>
      <dl>
        {rawValues(values).map(({ name, text }) => (
          <div key={name} className="flex justify-between gap-2.5">
            <dt className="wrap-anywhere">{name}</dt>
            <dd className="tabular-nums">{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
