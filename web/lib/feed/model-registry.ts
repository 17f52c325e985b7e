import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Gauge } from "prom-client";
import { z } from "zod";
import { logger } from "@/lib/logger";
import { config } from "@/lib/platform/config";

/** A mean over requests with its 95 % interval, which requests of one user do not have. */
export interface Estimate {
  mean: number;
  low: number | null;
  high: number | null;
  requests: number;
}

/** The paired difference in NDCG@10 to another version, on requests that both were measured on. */
export interface Difference extends Estimate {
  people: number | null;
}

/** A gain in NDCG@10 over another ranking, as a share of the other's. */
export interface RelativeGain {
  gain: number;
  low: number | null;
  high: number | null;
}

export type ModelState = "active" | "rejected" | "rolled back" | "inactive";

export interface RegisteredModel {
  version: string;
  state: ModelState;
  /** True for the version that `rollback` makes active. */
  isRollbackTarget: boolean;
  createdAt: string | null;
  /** Why training selected this ranking, or rejected the version. */
  note: string;
  sha256: string;
  /** The ranking that the version serves, as `evaluation` names it. */
  ranking: string;
  /** Ranking and metric, such as `learned` and `ndcg@10`, of the requests that this version was evaluated on. */
  evaluation: Record<string, Record<string, Estimate>>;
  /** By the SHA-256 of the artefact of the other version. */
  differences: Record<string, Difference>;
  againstRandom: RelativeGain | null;
  /** Over the configuration of the version that was active before this one. */
  againstActive: RelativeGain | null;
  /** All metrics at any depth, by their path, such as `learned ndcg@10`. */
  figures: Record<string, number>;
}

const bound = z.number().nullable().catch(null);
const estimate = z
  .object({ mean: z.number(), low: bound, high: bound, n: z.number().catch(0) })
  .transform(({ n, ...values }): Estimate => ({ ...values, requests: n }));
const difference = z
  .object({ mean: z.number(), low: bound, high: bound, n: z.number(), users: bound })
  .transform(({ n, users, ...values }): Difference => ({ ...values, requests: n, people: users }));
const relativeGain = z.object({ gain: z.number(), low: bound, high: bound }).nullable().catch(null).default(null);

/** A record without the entries that have not the form of `value`, which are those of other versions of training. */
function recordOf<Value>(value: z.ZodType<Value>) {
  return z
    .record(z.string(), z.unknown())
    .catch({})
    .transform((entries) =>
      Object.fromEntries(
        Object.entries(entries).flatMap(([name, entry]) => {
          const { success, data } = value.safeParse(entry);
          return success ? [[name, data] as const] : [];
        }),
      ),
    );
}

const measured = z.object({
  prequential: recordOf(recordOf(estimate)),
  differences: recordOf(difference),
  against_random: relativeGain,
  against_active: relativeGain,
});
const entry = z.object({
  version: z.string(),
  status: z.string(),
  sha256: z.string().catch(""),
  note: z.string().catch(""),
  created_at: z.string().nullable().catch(null),
  config: z.object({ algorithm: z.string().catch("") }).catch({ algorithm: "" }),
  metrics: z.unknown().optional(),
});
/** The file of the model registry, as far as it is shown. */
const registry = z.object({
  models: z.array(entry),
  activations: z.array(z.string()).catch([]),
  rolled_back: z.array(z.string()).catch([]),
});

/** The models that training has published, newest first; null if the registry cannot be read. */
export async function readModelRegistry(): Promise<RegisteredModel[] | null> {
  let text: string;
  try {
    text = await readFile(path.join(config.modelsDir, "registry.json"), "utf8");
  } catch {
    return null;
  }
  try {
    return modelsOf(registry.parse(JSON.parse(text))).reverse();
  } catch (error) {
    logger.warn("registry.unreadable", { error });
    return null;
  }
}

/** The names in the registry of algorithms whose ranking has another name. */
const RANKINGS: Record<string, string> = { collaborative_filtering: "formula", learned_choice: "learned" };

function modelsOf({ models, activations, rolled_back }: z.output<typeof registry>): RegisteredModel[] {
  const ready = new Set(models.filter(({ status }) => status === "inactive").map(({ version }) => version));
  const rollbackTarget = activations.slice(0, -1).findLast((version) => ready.has(version));
  return models.map(({ version, status, sha256, note, created_at, config: { algorithm }, metrics }) => {
    const { prequential, differences, against_random, against_active } = measured.parse(metrics ?? {});
    const isRolledBack = status === "inactive" && rolled_back.includes(version);
    return {
      version,
      state: isRolledBack ? "rolled back" : status === "active" || status === "rejected" ? status : "inactive",
      isRollbackTarget: version === rollbackTarget,
      createdAt: created_at,
      note,
      sha256,
      ranking: RANKINGS[algorithm] ?? algorithm,
      evaluation: prequential,
      differences,
      againstRandom: against_random,
      againstActive: against_active,
      figures: Object.fromEntries(flattenMetrics(metrics)),
    };
  });
}

/** Sample sizes, which are no metrics, and what is measured against other versions. */
const NO_FIGURES = new Set(["requests", "n", "differences", "request_ranks"]);

/**
 * All metrics at any depth, named by their path. `{"prequential": {"learned": {"ndcg@10": {"mean": 0.31, "n": 900}}}}`
 * becomes `[["learned ndcg@10", 0.31]]`.
 */
function flattenMetrics(value: unknown, path: string[] = []): [string, number][] {
  if (typeof value === "number") return [[path.join(" "), value]];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const { mean } = value as { mean?: unknown };
  if (typeof mean === "number") return [[path.join(" "), mean]];
  return Object.entries(value).flatMap(([key, inner]) =>
    NO_FIGURES.has(key) ? [] : flattenMetrics(inner, key === "prequential" ? path : [...path, key]),
  );
}

/** Sets the gauge to the metrics of the active model; without samples if the registry cannot be read. */
export async function recordModelFigures(gauge: Gauge<"version" | "figure">): Promise<void> {
  const active = (await readModelRegistry())?.find((model) => model.state === "active");
  gauge.reset();
  for (const [figure, value] of Object.entries(active?.figures ?? {})) {
    gauge.set({ version: active?.version, figure }, value);
  }
}
