import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Gauge } from "prom-client";
import { z } from "zod";
import { logger } from "@/lib/logger";
import { config } from "@/lib/platform/config";

export interface RegisteredModel {
  version: string;
  status: string;
  createdAt: string | null;
  /** Metric values by name, such as `ndcg@5`. */
  metrics: Record<string, number>;
}

const entry = z.object({
  version: z.string(),
  status: z.string(),
  created_at: z.string().nullable().catch(null),
  metrics: z.unknown().optional(),
});
/** The file of the model registry, as far as it is shown. */
const registry = z.object({ models: z.array(entry) });

/** The models that training has published, newest first; null if the registry cannot be read. */
export async function readModelRegistry(): Promise<RegisteredModel[] | null> {
  let text: string;
  try {
    text = await readFile(path.join(config.modelsDir, "registry.json"), "utf8");
  } catch {
    return null;
  }
  try {
    return registry.parse(JSON.parse(text)).models.map(modelFromEntry).reverse();
  } catch (error) {
    logger.warn("registry.unreadable", { error });
    return null;
  }
}

function modelFromEntry({ version, status, created_at, metrics }: z.output<typeof entry>): RegisteredModel {
  return { version, status, createdAt: created_at, metrics: Object.fromEntries(flattenMetrics(metrics)) };
}

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
    // `requests` and `n` are sample sizes, not metrics.
    key === "requests" || key === "n" ? [] : flattenMetrics(inner, key === "prequential" ? path : [...path, key]),
  );
}

/** The metrics that summarise a model best, in this order. */
const HEADLINE_METRICS = [
  /^(served|learned) ndcg@10$/,
  /^formula ndcg@10$/,
  /^owner_formula ndcg@10$/,
  /^trending_1[hd] ndcg@10$/,
  /@5$/,
];

/** The names of the most informative metrics of the models, at most `count`. */
export function headlineMetrics(models: RegisteredModel[], count: number): string[] {
  const names = [...new Set(models.flatMap((model) => Object.keys(model.metrics)))];
  const rank = (name: string) => {
    const index = HEADLINE_METRICS.findIndex((pattern) => pattern.test(name));
    return index < 0 ? HEADLINE_METRICS.length : index;
  };
  return names.sort((a, b) => rank(a) - rank(b)).slice(0, count);
}

/** Sets the gauge to the metrics of the active model; without samples if the registry cannot be read. */
export async function recordModelFigures(gauge: Gauge<"version" | "figure">): Promise<void> {
  const active = (await readModelRegistry())?.find((model) => model.status === "active");
  gauge.reset();
  for (const [figure, value] of Object.entries(active?.metrics ?? {})) {
    gauge.set({ version: active?.version, figure }, value);
  }
}
