import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { readModelRegistry, recordModelFigures } from "@/lib/feed/model-registry";
import { Metrics } from "@/lib/platform/metrics";
import { REGISTRY_WITH_A_BAD_MODEL, useModelRegistry } from "@/tests/support/model-registry";

const REGISTRY = {
  models: [
    { version: "v1", status: "inactive", created_at: "2026-03-01T12:00:00Z", metrics: { "ndcg@5": 0.72 } },
    {
      version: "v2",
      status: "active",
      created_at: "2026-03-02T12:00:00Z",
      config: { algorithm: "collaborative_filtering" },
      metrics: {
        prequential: { learned: { "ndcg@10": { mean: 0.31, low: 0.3, high: null, n: 900 }, mrr: { mean: 0.2 } } },
        requests: 900,
        "ndcg@5": 0.75,
        differences: { sha: { mean: 0.1, low: 0.05, high: 0.15, n: 40, users: 9 }, other: { mean: "of a later form" } },
        request_ranks: { keys: "AAAA", ranks: "AAAA" },
        against_random: { gain: 2, low: 1.5, high: 2.5, n: 900 },
      },
    },
  ],
};

describe("the model registry", () => {
  const write = useModelRegistry();

  it("is read with the newest model first, its estimates and its differences", async () => {
    write(REGISTRY);

    const models = await readModelRegistry();

    assert.deepEqual(
      models?.map(({ version, state, ranking }) => [version, state, ranking]),
      [
        ["v2", "active", "formula"],
        ["v1", "inactive", ""],
      ],
    );
    assert.deepEqual(models?.[0]?.evaluation["learned"]?.["ndcg@10"], {
      mean: 0.31,
      low: 0.3,
      high: null,
      requests: 900,
    });
    assert.deepEqual(models?.[0]?.differences, { sha: { mean: 0.1, low: 0.05, high: 0.15, requests: 40, people: 9 } });
    assert.deepEqual([models?.[0]?.againstRandom?.gain, models?.[1]?.againstRandom], [2, null]);
  });

  it("knows what a rollback makes active, and what was rolled back", async () => {
    write({
      ...REGISTRY_WITH_A_BAD_MODEL,
      models: REGISTRY_WITH_A_BAD_MODEL.models.map((model) => ({
        ...model,
        status: { v1: "inactive", v2: "active", v3: "inactive" }[model.version] ?? model.status,
      })),
      activations: ["v1", "v2"],
      rolled_back: ["v3"],
    });

    const models = await readModelRegistry();

    assert.deepEqual(
      models?.map(({ version, state, isRollbackTarget }) => [version, state, isRollbackTarget]),
      [
        ["v4", "rejected", false],
        ["v3", "rolled back", false],
        ["v2", "active", false],
        ["v1", "inactive", true],
      ],
    );
  });

  it("is rendered with the metrics of the active model for Prometheus", async () => {
    write(REGISTRY);

    const { modelFigure, registry } = new Metrics();
    await recordModelFigures(modelFigure);

    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith("feed_model_figure"));
    assert.deepEqual(lines, [
      'feed_model_figure{version="v2",figure="learned ndcg@10"} 0.31',
      'feed_model_figure{version="v2",figure="learned mrr"} 0.2',
      'feed_model_figure{version="v2",figure="ndcg@5"} 0.75',
      'feed_model_figure{version="v2",figure="against_random gain"} 2',
      'feed_model_figure{version="v2",figure="against_random low"} 1.5',
      'feed_model_figure{version="v2",figure="against_random high"} 2.5',
    ]);
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
