import type { ExperimentOverview } from "@feed/client";
import { notFound } from "next/navigation";
import { Command } from "@/components/operator/command";
import { ConsolePage } from "@/components/operator/console-page";
import { ExperimentReadOut } from "@/components/operator/experiment-read-out";
import { FigureTable } from "@/components/operator/figure-table";
import { PreferenceReadOut } from "@/components/operator/preference-read-out";
import { Remark, Section } from "@/components/operator/section";
import { config } from "@/lib/platform/config";
import { AdminService } from "@/lib/services/admin-service";

export const metadata = { title: "Experiments" };

export default async function ExperimentsPage() {
  if (!config.operatorPage) notFound();
  const { value: experiments, problem } = await new AdminService().experiments();
  return (
    <ConsolePage name="Experiments" about="Which ranking is better, and which variants were stopped.">
      {problem !== null && <Remark>{problem}</Remark>}
      {experiments?.length === 0 && (
        <Remark>No experiment is configured. Begin one with EXPERIMENTS_FILE: docs/experiments.md.</Remark>
      )}
      {experiments?.map((experiment) => (
        <Section key={experiment.name} id={experiment.name} title={experiment.name}>
          <Experiment experiment={experiment} />
        </Section>
      ))}
    </ConsolePage>
  );
}

function Experiment({ experiment }: { experiment: ExperimentOverview }) {
  const { name, read_at: readAt, read_out: readOut, preference } = experiment;
  const isInterleaving = experiment.kind === "interleaving";
  return (
    <div className="grid gap-5">
      <p className="text-sm text-soft">
        {experiment.enabled ? "" : "Switched off. "}From {minute(experiment.start)} to {minute(experiment.end)}.{" "}
        {isInterleaving && "Its lists are interleaved from two rankings. "}
        {readAt === null
          ? "It was not read out yet."
          : `Read out at ${minute(readAt)}; the users ${isInterleaving ? "" : "of each variant "}whose ${experiment.window_days} days have ended are in the figures.`}
      </p>
      <Stops experiment={experiment} />
      <Variants experiment={experiment} />
      {preference && <PreferenceReadOut preference={preference} />}
      {readOut && <ExperimentReadOut experiment={experiment} readOut={readOut} />}
      <Command label={`report ${name}`} text={`uv run python -m training.experiment report ${name}`} />
    </div>
  );
}

function Stops({ experiment: { stops } }: { experiment: ExperimentOverview }) {
  return stops.map(({ variant, metric, reason, stopped_at }) => (
    <div key={variant} className="rounded-card border-2 border-bad bg-raised px-4.5 py-4">
      <p className="font-bold text-bad">
        The guardrail {metric} stopped {variant} at {minute(stopped_at)}.
      </p>
      <p className="wrap-anywhere">{reason}</p>
      <p className="text-sm text-soft">
        Its users have the served ranking, and its figures are those of that time. Another salt begins again.
      </p>
    </div>
  ));
}

function Variants({ experiment: { name, variants, stops, read_out: readOut } }: { experiment: ExperimentOverview }) {
  return (
    <FigureTable
      label={`Variants of ${name}`}
      columns={[
        { label: "Variant" },
        { label: "Share", isNumber: true },
        { label: "Users", isNumber: true },
        { label: "In the figures", isNumber: true },
        { label: "Ranking" },
      ]}
      rows={variants.map((variant) => ({
        key: variant.name,
        cells: [
          stops.some((stop) => stop.variant === variant.name) ? `${variant.name} (stopped)` : variant.name,
          `${+(variant.share * 100).toFixed(2)} %`,
          count(readOut?.users[variant.name]),
          count(readOut?.complete_users[variant.name]),
          rankingOf(variant),
        ],
      }))}
    />
  );
}

/** What differs from the served ranking, such as "model v7, exploration_share 0.1" or "channel full". */
function rankingOf({ is_control, model, channel, ranking }: ExperimentOverview["variants"][number]): string {
  if (is_control) return "as served";
  const options = Object.entries(ranking).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [...(model ? [`model ${model}`] : []), ...(channel ? [`channel ${channel}`] : []), ...options].join(", ");
}

function count(users: number | undefined): string {
  return users === undefined ? "–" : users.toLocaleString("en");
}

/** A time such as "2026-12-01 09:30 UTC". */
function minute(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")} UTC`;
}
