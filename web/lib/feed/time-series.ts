/** A figure over time. Null where there is none, such as a share of nothing. */
export interface Series {
  name: string;
  points: Point[];
}

export interface Point {
  timeMs: number;
  value: number | null;
}

/** The first and the last time of a chart. */
export interface Period {
  fromMs: number;
  toMs: number;
}

/** A period up to now that an operator can choose. It is cut into steps of equal length. */
export interface TimeRange {
  name: "1h" | "24h" | "7d";
  label: string;
  stepSeconds: number;
  steps: number;
}

const [MINUTE, HOUR] = [60, 3600];
export const TIME_RANGES: readonly [TimeRange, ...TimeRange[]] = [
  { name: "1h", label: "1 hour", stepSeconds: 5 * MINUTE, steps: 12 },
  { name: "24h", label: "24 hours", stepSeconds: HOUR, steps: 24 },
  { name: "7d", label: "7 days", stepSeconds: 6 * HOUR, steps: 28 },
];

/** The range with this name; the first one for any other name. */
export function timeRange(name: unknown): TimeRange {
  return TIME_RANGES.find((range) => range.name === name) ?? TIME_RANGES[0];
}

/** The period of the range that ends at `nowMs`. */
export function periodOf(range: TimeRange, nowMs: number): Period {
  return { fromMs: startOf(range, nowMs), toMs: nowMs };
}

/** The start of the range that ends at `nowMs`. */
export function startOf({ stepSeconds, steps }: TimeRange, nowMs: number): number {
  return nowMs - steps * stepSeconds * 1000;
}
