import type { Difference, Estimate, RegisteredModel } from "./model-registry";

export type Verdict = "better" | "worse" | "no difference shown";

/** How two versions differ in NDCG@10 on the same requests: `first` minus `second`. */
export interface Comparison {
  first: string;
  second: string;
  difference: Difference;
  verdict: Verdict;
}

/** Compares two versions by what the later training measured; null if it did not measure both. */
export function compareModels(first: RegisteredModel, second: RegisteredModel): Comparison | null {
  const difference = first.differences[second.sha256] ?? reverse(second.differences[first.sha256]);
  if (!difference) return null;
  return { first: first.version, second: second.version, difference, verdict: verdictOf(difference) };
}

function reverse(difference: Difference | undefined): Difference | null {
  if (!difference) return null;
  const { mean, low, high } = difference;
  return { ...difference, mean: -mean, low: high === null ? null : -high, high: low === null ? null : -low };
}

/** The verdict of an interval: it must be above or below 0 as a whole. */
function verdictOf({ low, high }: Pick<Estimate, "low" | "high">): Verdict {
  if (low !== null && low > 0) return "better";
  if (high !== null && high < 0) return "worse";
  return "no difference shown";
}

/** One sentence, such as "v3 is better than v2: +.012 NDCG@10 (.008 to .016)". */
export function comparisonSentence({ first, second, difference, verdict }: Comparison): string {
  const { mean, low, high } = difference;
  const interval =
    low === null || high === null ? "no interval for one person" : `${decimals(low)} to ${decimals(high)}`;
  const figures = `${signed(mean)} NDCG@10 (${interval})`;
  if (verdict === "no difference shown") return `No difference shown between ${first} and ${second}: ${figures}`;
  return `${first} is ${verdict} than ${second}: ${figures}`;
}

/** Why the active version should not serve, and the version to go back to; null if nothing shows that it should not. */
export interface ActiveModelProblem {
  active: RegisteredModel;
  sentence: string;
  better: RegisteredModel | null;
}

/** The problem of the active version: another version is better than it, or it ranks worse than random. */
export function findActiveModelProblem(models: readonly RegisteredModel[]): ActiveModelProblem | null {
  const active = models.find(({ state }) => state === "active");
  if (!active) return null;
  const worse = models
    .filter((model) => model !== active && model.state !== "rejected")
    .flatMap((better) => {
      const comparison = compareModels(active, better);
      return comparison?.verdict === "worse" ? [{ better, comparison }] : [];
    })
    .sort((a, b) => a.comparison.difference.mean - b.comparison.difference.mean)[0];
  if (worse) return { active, sentence: `${comparisonSentence(worse.comparison)}.`, better: worse.better };
  const { againstRandom } = active;
  if (againstRandom && verdictOf(againstRandom) === "worse") {
    const better = models.find(({ isRollbackTarget }) => isRollbackTarget) ?? null;
    return { active, sentence: `${active.version} ranks worse than posts in random order.`, better };
  }
  return null;
}

/** A number with three decimals and no zero before the point, such as ".012" and "−.050". */
export function decimals(value: number, digits = 3): string {
  const text = Math.abs(value).toFixed(digits).replace(/^0\./, ".");
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** `decimals` with a sign also above 0. */
export function signed(value: number): string {
  return value > 0 ? `+${decimals(value)}` : decimals(value);
}
