import { type Series, startOf, type TimeRange } from "./time-series";

/** How many places of pages were shown, and at how many of them the user did something with the post. */
export interface PlaceCounts {
  shown: number;
  engaged: number;
}

/** The counts of one step of a range, one reason and one group of places. */
export interface EngagementCell extends PlaceCounts {
  step: number;
  /** A letter, as pages are stored. */
  reason: string;
  /** The first place of its group, such as 4 for the places 4 and 5. */
  firstPlace: number;
}

/** A group of places, or a reason, with its counts in the whole range and its rate over time. */
export interface EngagementRow extends PlaceCounts {
  label: string;
  series: Series;
}

const REASONS: Record<string, string> = {
  c: "collaborative filtering",
  s: "content similarity",
  t: "trending",
  r: "recent",
  p: "popular author",
  f: "following",
  e: "exploration",
};
const PLACES: Record<number, string> = { 1: "1", 2: "2", 3: "3", 4: "4–5", 6: "6–10", 11: "11–20", 21: "21 and on" };

/** The rates by reason, the most shown one first. */
export function ratesByReason(cells: readonly EngagementCell[], range: TimeRange, nowMs: number): EngagementRow[] {
  const rows = rowsBy(cells, ({ reason }) => REASONS[reason] ?? "imported, unknown", range, nowMs);
  return rows.sort((a, b) => b.shown - a.shown);
}

/** The rates by place of the page, the first one first. */
export function ratesByPlace(cells: readonly EngagementCell[], range: TimeRange, nowMs: number): EngagementRow[] {
  const sorted = [...cells].sort((a, b) => a.firstPlace - b.firstPlace);
  return rowsBy(sorted, ({ firstPlace }) => `place ${PLACES[firstPlace] ?? firstPlace}`, range, nowMs);
}

function rowsBy(
  cells: readonly EngagementCell[],
  labelOf: (cell: EngagementCell) => string,
  range: TimeRange,
  nowMs: number,
): EngagementRow[] {
  const cellsByLabel = new Map<string, EngagementCell[]>();
  for (const cell of cells) {
    const label = labelOf(cell);
    cellsByLabel.set(label, [...(cellsByLabel.get(label) ?? []), cell]);
  }
  return [...cellsByLabel].map(([label, ofLabel]) => ({
    label,
    ...sumOf(ofLabel),
    series: {
      name: label,
      points: Array.from({ length: range.steps }, (_, step) => ({
        timeMs: startOf(range, nowMs) + step * range.stepSeconds * 1000,
        value: rateOf(sumOf(ofLabel.filter((cell) => cell.step === step))),
      })),
    },
  }));
}

function sumOf(cells: readonly PlaceCounts[]): PlaceCounts {
  return cells.reduce((sum, { shown, engaged }) => ({ shown: sum.shown + shown, engaged: sum.engaged + engaged }), {
    shown: 0,
    engaged: 0,
  });
}

/** The share of shown places with an engagement; null if none was shown. */
export function rateOf({ shown, engaged }: PlaceCounts): number | null {
  return shown === 0 ? null : engaged / shown;
}
