import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { type Comparison, comparisonSentence, type Verdict } from "@/lib/feed/model-comparison";
import type { RegisteredModel } from "@/lib/feed/model-registry";
import { IntervalChart } from "./interval-chart";
import { Remark, Section } from "./section";
import { SelectField } from "./select-field";

export const VERDICT_TONES: Record<Verdict, Tone> = { better: "good", worse: "bad", "no difference shown": "neutral" };
const CHART_TONES = { better: "good", worse: "bad", "no difference shown": "soft" } as const;
const ANSWERS: Record<Verdict, string> = { better: "Yes", worse: "No", "no difference shown": "Not shown" };

interface ModelComparisonProps {
  models: RegisteredModel[];
  first: RegisteredModel;
  second: RegisteredModel;
  /** Null if the registry does not hold their difference. */
  comparison: Comparison | null;
}

/** The question whether one version is better than another, and its answer. */
export function ModelComparison({ models, first, second, comparison }: ModelComparisonProps) {
  const options = models.map(({ version, state }) => ({ value: version, label: `${version} (${state})` }));
  return (
    <Section id="comparison" title={`Is ${first.version} better than ${second.version}?`}>
      <form method="get" className="mb-4 flex flex-wrap items-center gap-3">
        <SelectField name="first" label="Is" value={first.version} options={options} />
        <SelectField name="second" label="better than" value={second.version} options={options} />
        <Button type="submit">Compare</Button>
      </form>
      {comparison ? <Answer comparison={comparison} /> : <NoAnswer first={first} second={second} />}
    </Section>
  );
}

function Answer({ comparison }: { comparison: Comparison }) {
  const { verdict, difference } = comparison;
  const people = difference.people === null ? "" : ` by ${difference.people} people`;
  return (
    <>
      <p className="mb-3 text-lg wrap-anywhere">
        <Badge tone={VERDICT_TONES[verdict]}>{ANSWERS[verdict]}</Badge>{" "}
        <strong>{comparisonSentence(comparison)}.</strong>
      </p>
      <IntervalChart
        label="Difference in NDCG@10"
        withZero
        rows={[{ label: "Difference", ...difference, tone: CHART_TONES[verdict] }]}
      />
      <Remark>
        Measured on the same {difference.requests} past requests{people}. NDCG@10 is 1 if the post that a person then
        chose was first on the list, less further down, and 0 below the tenth place. The range in brackets is the 95 %
        interval. A version is better or worse only if the whole range is above or below 0.
      </Remark>
    </>
  );
}

function NoAnswer({ first, second }: { first: RegisteredModel; second: RegisteredModel }) {
  if (first === second) return <Remark>Select two different versions.</Remark>;
  return (
    <Remark>
      The paired difference of {first.version} and {second.version} is not available: one of them was published before
      the registry kept it, or they were not measured on common requests. Their intervals below are of different
      requests. The next training compares its version with all that have the values.
    </Remark>
  );
}
