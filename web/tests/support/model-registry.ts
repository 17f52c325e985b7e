import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "vitest";

const estimate = (mean: number) => ({ mean, low: mean - 0.02, high: mean + 0.02, n: 812 });

function entry(version: string, status: string, ndcg: number, changes: Record<string, unknown> = {}) {
  const learned = { "ndcg@10": estimate(ndcg), "hit@10": estimate(ndcg + 0.1), mrr: estimate(ndcg - 0.05) };
  return {
    version,
    status,
    sha256: `sha-of-${version}`,
    created_at: `2026-03-0${version.slice(1)}T12:00:00Z`,
    note: `NDCG@10 on 812 held-out requests: learned ${ndcg}`,
    config: { algorithm: "learned_choice" },
    metrics: {
      prequential: { learned, random: { "ndcg@10": estimate(0.05) } },
      requests: 812,
      request_ranks: { keys: "AAAA", ranks: "AAAA" },
      differences: {},
    },
    ...changes,
  };
}

const difference = (mean: number, low: number, high: number) => ({ mean, low, high, n: 812, users: 143 });

/** Two good versions; one that ranks worse, which is active; and one that training rejected. */
export const REGISTRY_WITH_A_BAD_MODEL = {
  models: [
    entry("v1", "inactive", 0.3, { metrics: { "ndcg@5": 0.2 } }), // of a version that kept no values by request
    entry("v2", "inactive", 0.31),
    entry("v3", "active", 0.25, {
      metrics: {
        ...entry("v3", "active", 0.25).metrics,
        differences: { "sha-of-v2": difference(-0.0521, -0.071, -0.034) },
      },
    }),
    entry("v4", "rejected", 0.2, { note: "it ranks worse than random: -12.0%" }),
  ],
  activations: ["v1", "v2", "v3"],
  rolled_back: [] as string[],
};

/** A folder with a model registry for each test of the enclosing suite. The result writes the file. */
export function useModelRegistry(): (content: unknown) => void {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "models-"));
    process.env["MODELS_DIR"] = folder;
  });
  afterEach(() => {
    delete process.env["MODELS_DIR"];
    rmSync(folder, { recursive: true });
  });
  return (content) =>
    writeFileSync(path.join(folder, "registry.json"), typeof content === "string" ? content : JSON.stringify(content));
}
