import { notFound } from "next/navigation";
import { Command } from "@/components/operator/command";
import { ConsolePage } from "@/components/operator/console-page";
import { ModelComparison } from "@/components/operator/model-comparison";
import { ModelTable } from "@/components/operator/model-table";
import { Remark, Section } from "@/components/operator/section";
import { type ActiveModelProblem, compareModels, findActiveModelProblem } from "@/lib/feed/model-comparison";
import { type RegisteredModel, readModelRegistry } from "@/lib/feed/model-registry";
import { config } from "@/lib/platform/config";
import { MLServiceClient } from "@/lib/services/ml-service";

export const metadata = { title: "Models" };

/** Of the newest ones. Many rejected versions may follow the active one. */
const MAX_MODELS = 20;
const REGISTRY = "uv run python -m training.registry";

interface ModelsPageProps {
  searchParams: Promise<{ first?: string | string[]; second?: string | string[] }>;
}

export default async function ModelsPage({ searchParams }: ModelsPageProps) {
  if (!config.operatorPage) notFound();
  const [chosen, registered, health] = await Promise.all([
    searchParams,
    readModelRegistry(),
    new MLServiceClient().getHealth(),
  ]);
  const models = (registered ?? []).filter(
    ({ state, isRollbackTarget }, index) => index < MAX_MODELS || state === "active" || isRollbackTarget,
  );
  const problem = findActiveModelProblem(models);
  return (
    <ConsolePage name="Models" about="Which version serves, whether it is good, and how to change it.">
      {registered === null && <Remark>The model registry cannot be read: {config.modelsDir}/registry.json</Remark>}
      {registered?.length === 0 && <Remark>No model has been published. Train one: docs/operations.md.</Remark>}
      {models.length > 0 && (
        <>
          <ActiveModel
            models={models}
            problem={problem}
            servedVersion={health?.model_version ?? null}
            isAway={health === null}
          />
          <Comparison models={models} chosen={chosen} />
          <Section id="versions" title="Versions side by side">
            <ModelTable models={models} toActive={comparisonsWithActive(models)} problem={problem} />
          </Section>
          <Section id="commands" title="Change what serves">
            <Commands models={models} />
          </Section>
        </>
      )}
    </ConsolePage>
  );
}

function comparisonsWithActive(models: RegisteredModel[]) {
  const active = models.find(({ state }) => state === "active");
  const comparisons = models.flatMap((model) => {
    const comparison = active && model !== active ? compareModels(model, active) : null;
    return comparison ? [[model.version, comparison] as const] : [];
  });
  return new Map(comparisons);
}

function ActiveModel({ models, problem, servedVersion, isAway }: ActiveModelProps) {
  const active = models.find(({ state }) => state === "active");
  return (
    <Section id="active" title={active ? `${active.version} is active` : "No version is active"}>
      {problem && <Problem problem={problem} />}
      {active && !problem && (
        <p>No other version is better than {active.version}, as far as versions were compared on the same requests.</p>
      )}
      {isAway && <Remark>The service does not respond, so it is not known which version it serves.</Remark>}
      {!isAway && servedVersion !== (active?.version ?? null) && (
        <p className="font-semibold text-bad">
          The service serves {servedVersion ?? "no model"} instead. The reason is `last_reload_error` of its health
          report.
        </p>
      )}
    </Section>
  );
}

interface ActiveModelProps {
  models: RegisteredModel[];
  problem: ActiveModelProblem | null;
  /** The version that the service has loaded; null if it has none. */
  servedVersion: string | null;
  isAway: boolean;
}

function Problem({ problem: { active, sentence, better } }: { problem: ActiveModelProblem }) {
  return (
    <div className="mb-3 grid gap-2 rounded-card border-2 border-bad bg-raised px-4.5 py-4">
      <p className="text-lg font-bold text-bad">{active.version} is a bad model: it should not serve.</p>
      <p className="wrap-anywhere">{sentence}</p>
      {better && (
        <>
          <p>Go back to {better.version}:</p>
          <Command
            label={`go back to ${better.version}`}
            text={better.isRollbackTarget ? `${REGISTRY} rollback` : `${REGISTRY} promote ${better.version}`}
          />
        </>
      )}
    </div>
  );
}

function Comparison({
  models,
  chosen,
}: {
  models: RegisteredModel[];
  chosen: Awaited<ModelsPageProps["searchParams"]>;
}) {
  const find = (version: string | string[] | undefined) => models.find((model) => model.version === version);
  const active = models.find(({ state }) => state === "active");
  const first = find(chosen.first) ?? active ?? models[0];
  const others = models.filter((model) => model !== first);
  const second = find(chosen.second) ?? others.find(({ isRollbackTarget }) => isRollbackTarget) ?? others[0];
  if (!first || !second) return null;
  return <ModelComparison models={models} first={first} second={second} comparison={compareModels(first, second)} />;
}

function Commands({ models }: { models: RegisteredModel[] }) {
  const target = models.find(({ isRollbackTarget }) => isRollbackTarget);
  const promotable = models.filter(({ state }) => state !== "active" && state !== "rejected");
  const rejected = models.filter(({ state }) => state === "rejected");
  return (
    <div className="grid max-w-160 gap-3">
      <Remark>
        The registry is read only here. Run a command where models are trained; services load the version within
        seconds.
      </Remark>
      {target && (
        <>
          <p className="text-sm">Back to the version that was active before, {target.version}:</p>
          <Command label="roll back" text={`${REGISTRY} rollback`} />
        </>
      )}
      {promotable.map(({ version }) => (
        <div key={version} className="grid gap-1">
          <p className="text-sm">Make {version} active:</p>
          <Command label={`promote ${version}`} text={`${REGISTRY} promote ${version}`} />
        </div>
      ))}
      {rejected.length > 0 && (
        <Remark>Rejected versions cannot be made active: {rejected.map(({ version }) => version).join(", ")}.</Remark>
      )}
    </div>
  );
}
