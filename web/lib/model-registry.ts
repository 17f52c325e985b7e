import { readFile } from "node:fs/promises";
import path from "node:path";
import { config } from "./config";
import { logger } from "./logger";

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
    metrics: Object.fromEntries(figures(entry["metrics"])),
  };
}

/** All numbers, at any depth, under the path of their names. */
function figures(value: unknown, name = ""): [string, number][] {
  if (typeof value === "number") return [[name, value]];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => figures(inner, name ? `${name} · ${key}` : key));
}
