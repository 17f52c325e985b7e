import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";
import { headlineMetrics, readModelRegistry, recordModelFigures } from "@/lib/feed/model-registry";
import { Metrics } from "@/lib/platform/metrics";

const REGISTRY = {
  models: [
    { version: "v1", status: "inactive", created_at: "2026-03-01T12:00:00Z", metrics: { "ndcg@5": 0.72 } },
    {
      version: "v2",
      status: "active",
      created_at: "2026-03-02T12:00:00Z",
      metrics: {
        prequential: { learned: { "ndcg@10": { mean: 0.31, low: 0.3, high: 0.32, n: 900 }, mrr: { mean: 0.2 } } },
        requests: 900,
        "ndcg@5": 0.75,
      },
    },
  ],
};

describe("the model registry", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "models-"));
    process.env["MODELS_DIR"] = folder;
  });
  afterEach(() => {
    delete process.env["MODELS_DIR"];
  });
  const write = (text: string) => writeFileSync(path.join(folder, "registry.json"), text);

  it("is read with the newest model first and short names of metrics", async () => {
    write(JSON.stringify(REGISTRY));

    const models = await readModelRegistry();

    assert.deepEqual(
      models?.map(({ version }) => version),
      ["v2", "v1"],
    );
    assert.deepEqual(models?.[0]?.metrics, { "learned ndcg@10": 0.31, "learned mrr": 0.2, "ndcg@5": 0.75 });
    assert.deepEqual(headlineMetrics(models ?? [], 2), ["learned ndcg@10", "ndcg@5"]);
  });

  it("is rendered with the metrics of the active model for Prometheus", async () => {
    write(JSON.stringify(REGISTRY));

    const { modelFigure, registry } = new Metrics();
    await recordModelFigures(modelFigure);

    const lines = (await registry.metrics()).split("\n");
    assert.ok(lines.includes('feed_model_figure{version="v2",figure="learned ndcg@10"} 0.31'));
    assert.ok(!lines.some((line) => line.includes("v1")));
  });

  it("is null if the file does not exist or is damaged", async () => {
    assert.equal(await readModelRegistry(), null);
    write("{half");

    assert.equal(await readModelRegistry(), null);
    const { modelFigure } = new Metrics();
    await recordModelFigures(modelFigure);
    assert.deepEqual((await modelFigure.get()).values, []);
  });
});
