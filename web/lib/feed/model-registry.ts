import { readFile } from "node:fs/promises";
import path from "node:path";
import { config } from "@/lib/platform/config";
import { logger } from "@/lib/logger";

export interface RegisteredModel {
  version: string;
  status: string;
  createdAt: string | null;
  /** Figures by name, such as `ndcg@5`. */
  metrics: Record<string, number>;
}

/** The models that training has published, newest first; null where the registry cannot be read from here. */
export async function readModelRegistry(): Promise<RegisteredModel[] | null> {
  let text: string;
  try {
    text = await readFile(path.join(config.modelsDir, "registry.json"), "utf8");
  } catch {
    return null;
  }
  try {
    const { models } = JSON.parse(text) as { models: Record<string, unknown>[] };
    return models.map(modelOf).reverse();
  } catch (error) {
    logger.warn("registry.unreadable", { error });
    return null;
  }
}

function modelOf(entry: Record<string, unknown>): RegisteredModel {
  return {
    version: String(entry["version"]),
    status: String(entry["status"]),
    createdAt: typeof entry["created_at"] === "string" ? entry["created_at"] : null,
    metrics: Object.fromEntries(figuresOf(entry["metrics"])),
  };
}

/**
 * All figures at any depth, under the path of their names: `learned ndcg@10` for
 * `{"prequential": {"learned": {"ndcg@10": {"mean": …, "low": …, "high": …, "n": …}}}}`.
 */
export function figuresOf(value: unknown, path: string[] = []): [string, number][] {
  if (typeof value === "number") return [[path.join(" "), value]];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const { mean } = value as { mean?: unknown };
  if (typeof mean === "number") return [[path.join(" "), mean]];
  return Object.entries(value).flatMap(([key, inner]) =>
    // counts are no figures of merit
    key === "requests" || key === "n" ? [] : figuresOf(inner, key === "prequential" ? path : [...path, key]),
  );
}

const TELLING = [
  /^(served|learned) ndcg@10$/,
  /^formula ndcg@10$/,
  /^owner_formula ndcg@10$/,
  /^trending_1[hd] ndcg@10$/,
  /@5$/,
];

/** The figures that say most of a model, at most `count`. */
export function tellingFigures(models: RegisteredModel[], count: number): string[] {
  const names = [...new Set(models.flatMap((model) => Object.keys(model.metrics)))];
  const rank = (name: string) => {
    const place = TELLING.findIndex((pattern) => pattern.test(name));
    return place < 0 ? TELLING.length : place;
  };
  return names.sort((a, b) => rank(a) - rank(b)).slice(0, count);
}

/** The active model's figures in Prometheus' text format; empty where no registry can be read. */
export async function renderModelFigures(): Promise<string> {
  const active = (await readModelRegistry())?.find((model) => model.status === "active");
  if (!active) return "";
  const samples = Object.entries(active.metrics).map(
    ([name, value]) => `feed_model_figure{version=${label(active.version)},figure=${label(name)}} ${value}`,
  );
  return ["# TYPE feed_model_figure gauge", ...samples, ""].join("\n");
}

const label = (text: string) => JSON.stringify(text.replaceAll(/["\\\n]/g, "_"));
