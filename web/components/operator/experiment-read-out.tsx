import type { ExperimentOverview } from "@feed/client";
import { Badge, type Tone } from "@/components/ui/badge";
import { EffectChart } from "./effect-chart";
import { FigureTable } from "./figure-table";
import { Remark } from "./section";
import { interval, signed } from "./signed";

type ReadOut = NonNullable<ExperimentOverview["read_out"]>;
type Comparison = ReadOut["primary"][number];
type Rate = ReadOut["positions"][number];

const TONES: Record<Comparison["outcome"], Tone> = {
  better: "good",
  worse: "bad",
  unknown: "neutral",
  too_few: "neutral",
};

/** What an experiment shows so far. */
export function ExperimentReadOut({ experiment, readOut }: { experiment: ExperimentOverview; readOut: ReadOut }) {
  const { primary_metric: metric } = experiment;
  const others = experiment.variants.filter(({ is_control }) => !is_control);
  return (
    <div className="grid gap-5">
      {readOut.lost_users && (
        <p className="rounded-card border-2 border-bad bg-raised px-4.5 py-4 font-semibold text-bad">
          The numbers of users contradict the shares (p = {readOut.sample_ratio_p_value.toPrecision(2)}): something
          loses users of a variant. Find it before you use the figures below.
        </p>
      )}
      {readOut.primary.map((one) => (
        <Verdict key={one.variant} comparison={one} />
      ))}
      <Comparisons label="Primary metric" rows={readOut.primary} />
      <Comparisons label="Guardrails" rows={readOut.guardrails} />
      {others.map(({ name }) => (
        <EffectChart
          key={name}
          title={`${metric} per user and day, ${name} minus control`}
          days={readOut.days.filter(({ variant }) => variant === name)}
          format={signed}
        />
      ))}
      <Rates label={`${metric} by position`} heading="Position" rows={readOut.positions} />
      <Rates label={`${metric} by reason`} heading="Reason" rows={readOut.reasons} />
      <Remark>
        Only the primary metric and the guardrails have intervals that hold at every look. Those of a day are of this
        day alone. Positions and reasons are those of the newest pages; position 20 is all from there on.
      </Remark>
    </div>
  );
}

function Verdict({ comparison: { variant, metric, outcome, verdict } }: { comparison: Comparison }) {
  return (
    <p>
      <Badge tone={TONES[outcome]}>{outcome === "too_few" ? "unknown" : outcome}</Badge> <strong>{variant}</strong> in{" "}
      {metric}: {verdict}.
    </p>
  );
}

function Comparisons({ label, rows }: { label: string; rows: Comparison[] }) {
  if (rows.length === 0) return null;
  return (
    <FigureTable
      label={label}
      columns={[
        { label },
        { label: "Variant" },
        { label: "Days of a user", isNumber: true },
        { label: "Control", isNumber: true },
        { label: "Value", isNumber: true },
        { label: "Difference", isNumber: true },
        { label: "Interval" },
        { label: "Outcome" },
      ]}
      rows={rows.map((one) => ({
        key: `${one.metric} ${one.variant} ${one.window_days}`,
        cells: [
          `${one.metric} per ${one.unit}`,
          one.variant,
          one.window_days,
          one.control.toFixed(3),
          one.other.toFixed(3),
          signed(one.difference),
          interval(one),
          <span key="outcome" title={one.verdict}>
            <Badge tone={TONES[one.outcome]}>{one.outcome === "too_few" ? "not enough data" : one.outcome}</Badge>
          </span>,
        ],
      }))}
    />
  );
}

function Rates({ label, heading, rows }: { label: string; heading: string; rows: Rate[] }) {
  if (rows.length === 0) return null;
  return (
    <FigureTable
      label={label}
      columns={[
        { label: heading },
        { label: "Variant" },
        { label: "Posts of the control", isNumber: true },
        { label: "Posts", isNumber: true },
        { label: "Control, per 1,000", isNumber: true },
        { label: "Value, per 1,000", isNumber: true },
      ]}
      rows={rows.map((one) => ({
        key: `${one.name} ${one.variant}`,
        cells: [
          one.name,
          one.variant,
          one.control_shown.toLocaleString("en"),
          one.other_shown.toLocaleString("en"),
          one.control.toFixed(1),
          one.other.toFixed(1),
        ],
      }))}
    />
  );
}
