import { Badge, type Tone } from "@/components/ui/badge";
import { type ActiveModelProblem, type Comparison, decimals, signed } from "@/lib/feed/model-comparison";
import type { Estimate, ModelState, RegisteredModel } from "@/lib/feed/model-registry";
import { FigureTable } from "./figure-table";
import { formatInterval, IntervalChart } from "./interval-chart";
import { VERDICT_TONES } from "./model-comparison";
import { Remark } from "./section";

const STATE_TONES: Record<ModelState, Tone> = {
  active: "good",
  rejected: "bad",
  "rolled back": "fair",
  inactive: "neutral",
};
const METRICS = ["ndcg@10", "hit@10", "mrr"];
const METRIC_LABELS: Record<string, string> = { "ndcg@10": "NDCG@10", "hit@10": "Hit@10", mrr: "MRR" };

/** What `model` serves, measured when it was trained. */
function estimateOf(model: RegisteredModel, metric: string): Estimate | undefined {
  return model.evaluation[model.ranking]?.[metric];
}

/** The versions side by side. */
export function ModelTable({ models, toActive, problem }: ModelTableProps) {
  const isBad = (model: RegisteredModel) =>
    model === problem?.active || toActive.get(model.version)?.verdict === "worse";
  const measured = models.flatMap((model) => {
    const estimate = estimateOf(model, "ndcg@10");
    return estimate ? [{ model, estimate }] : [];
  });
  return (
    <>
      <FigureTable
        label="Model versions"
        columns={[
          { label: "Version" },
          { label: "State" },
          { label: "Compared with the active version" },
          { label: "Ranking" },
          { label: "Trained" },
          ...METRICS.map((metric) => ({ label: METRIC_LABELS[metric] ?? metric, isNumber: true })),
          { label: "Random", isNumber: true },
          { label: "Requests", isNumber: true },
        ]}
        rows={models.map((model) => ({
          key: model.version,
          cells: [
            model.version,
            <Badge key="state" tone={model === problem?.active ? "bad" : STATE_TONES[model.state]}>
              {model.state}
            </Badge>,
            model === problem?.active ? (
              <Badge key="active" tone="bad">
                bad: see above
              </Badge>
            ) : (
              <ToActive key="active" model={model} comparison={toActive.get(model.version)} />
            ),
            model.ranking || "–",
            model.createdAt?.slice(0, 16).replace("T", " ") ?? "–",
            ...METRICS.map((metric) => formatEstimate(estimateOf(model, metric))),
            formatEstimate(model.evaluation["random"]?.["ndcg@10"]),
            estimateOf(model, "ndcg@10")?.requests ?? "–",
          ],
        }))}
      />
      {measured.length > 0 && (
        <div className="mt-5">
          <h3 className="mb-2 text-sm text-soft">NDCG@10 with 95 % intervals</h3>
          <IntervalChart
            label="NDCG@10 of each version"
            rows={measured.map(({ model, estimate }) => ({
              label: `${model.version} ${model.state}`,
              ...estimate,
              tone: isBad(model) ? "bad" : "soft",
            }))}
          />
          <Remark>
            Each version was measured on the requests before its own training. To compare two versions, use the question
            above: it counts common requests only.
          </Remark>
        </div>
      )}
      <h3 className="mt-6 mb-2 font-bold">Why each version was published or not</h3>
      <dl className="text-sm">
        {models.map(({ version, state, note, againstActive }) => (
          <div key={version} className="border-t border-line py-2 sm:flex sm:gap-4">
            <dt className="w-32 shrink-0 font-semibold">
              {version}, {state}
            </dt>
            <dd className="wrap-anywhere">
              {note || "The registry has no reason."}
              {againstActive &&
                ` Against the version that was active before: ${percent(againstActive.gain)} NDCG@10${
                  againstActive.low === null || againstActive.high === null
                    ? ""
                    : ` (${percent(againstActive.low)} to ${percent(againstActive.high)})`
                }.`}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

interface ModelTableProps {
  models: RegisteredModel[];
  /** The comparison of each version with the active one, by version. */
  toActive: ReadonlyMap<string, Comparison>;
  /** Why the active version should not serve; null if nothing shows that. */
  problem: ActiveModelProblem | null;
}

function ToActive({ model, comparison }: { model: RegisteredModel; comparison: Comparison | undefined }) {
  if (model.state === "active") return "–";
  if (!comparison) return <span className="text-soft">not available</span>;
  const { verdict, difference } = comparison;
  return (
    <>
      <Badge tone={VERDICT_TONES[verdict]}>{verdict}</Badge> {signed(difference.mean)} {formatInterval(difference)}
    </>
  );
}

function formatEstimate(estimate: Estimate | undefined): string {
  return estimate ? `${decimals(estimate.mean)} ${formatInterval(estimate)}`.trim() : "–";
}

function percent(share: number): string {
  return `${signed(share * 100).replace(/\.\d+$/, "")} %`;
}
