import { readFile } from "node:fs/promises";
import path from "node:path";
import { logger } from "@/lib/logger";
import { config } from "@/lib/platform/config";

export interface RegisteredModel {
  version: string;
  status: string;
  createdAt: string | null;
  /** Metric values by name, such as `ndcg@5`. */
  metrics: Record<string, number>;
}

/** The models that training has published, newest first; null if the registry cannot be read. */
export async function readModelRegistry(): Promise<RegisteredModel[] | null> {
  let text: string;
  try {
    text = await readFile(path.join(config.modelsDir, "registry.json"), "utf8");
  } catch {
    return null;
  }
  try {
    const { models } = JSON.parse(text) as { models: Record<string, unknown>[] };
    return models.map(modelFromEntry).reverse();
  } catch (error) {
    logger.warn("registry.unreadable", { error });
    return null;
  }
}

function modelFromEntry(entry: Record<string, unknown>): RegisteredModel {
  return {
    version: String(entry["version"]),
    status: String(entry["status"]),
    createdAt: typeof entry["created_at"] === "string" ? entry["created_at"] : null,
    metrics: Object.fromEntries(flattenMetrics(entry["metrics"])),
  };
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

/** The metrics of the active model in the text format of Prometheus; empty if the registry cannot be read. */
export async function renderModelMetrics(): Promise<string> {
  const active = (await readModelRegistry())?.find((model) => model.status === "active");
  if (!active) return "";
  const samples = Object.entries(active.metrics).map(
    ([name, value]) => `feed_model_figure{version=${labelValue(active.version)},figure=${labelValue(name)}} ${value}`,
  );
  return ["# TYPE feed_model_figure gauge", ...samples, ""].join("\n");
}

/** A quoted label value. Quotes, backslashes and line ends become `_`. */
const labelValue = (text: string) => JSON.stringify(text.replaceAll(/["\\\n]/g, "_"));
