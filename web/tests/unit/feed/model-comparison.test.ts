import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { compareModels, comparisonSentence, findActiveModelProblem } from "@/lib/feed/model-comparison";
import { type RegisteredModel, readModelRegistry } from "@/lib/feed/model-registry";
import { REGISTRY_WITH_A_BAD_MODEL, useModelRegistry } from "@/tests/support/model-registry";

describe("the comparison of two versions", () => {
  const write = useModelRegistry();
  const read = async (): Promise<Record<string, RegisteredModel>> => {
    const models = (await readModelRegistry()) ?? [];
    return Object.fromEntries(models.map((model) => [model.version, model]));
  };
  const sentence = (first?: RegisteredModel, second?: RegisteredModel) => {
    const comparison = first && second ? compareModels(first, second) : null;
    return comparison && comparisonSentence(comparison);
  };

  it("is one sentence, in both directions", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const { v1, v2, v3 } = await read();

    assert.equal(sentence(v3, v2), "v3 is worse than v2: −.052 NDCG@10 (−.071 to −.034)");
    assert.equal(sentence(v2, v3), "v2 is better than v3: +.052 NDCG@10 (.034 to .071)");
    assert.equal(sentence(v3, v1), null);
  });

  it("shows no difference if the interval has 0 in it, or if there is none", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const { v2, v3 } = await read();
    const withDifference = (low: number | null, high: number | null): RegisteredModel => ({
      ...(v3 as RegisteredModel),
      differences: { "sha-of-v2": { mean: 0.004, low, high, requests: 9, people: 2 } },
    });

    assert.equal(
      sentence(withDifference(-0.001, 0.012), v2),
      "No difference shown between v3 and v2: +.004 NDCG@10 (−.001 to .012)",
    );
    assert.equal(
      sentence(withDifference(null, null), v2),
      "No difference shown between v3 and v2: +.004 NDCG@10 (no interval for one person)",
    );
  });

  it("finds that the active version is worse than another one, or than random", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const { v2, v3, v1 } = (await read()) as Record<"v1" | "v2" | "v3", RegisteredModel>;

    const problem = findActiveModelProblem([v3, v2, v1]);
    const withoutDifference = { ...v3, differences: {} };
    const belowRandom = { ...withoutDifference, againstRandom: { gain: -0.5, low: -0.6, high: -0.4 } };

    assert.equal(problem?.sentence, "v3 is worse than v2: −.052 NDCG@10 (−.071 to −.034).");
    assert.equal(problem?.better?.version, "v2");
    assert.equal(findActiveModelProblem([withoutDifference, v2]), null);
    assert.equal(findActiveModelProblem([belowRandom, v2])?.sentence, "v3 ranks worse than posts in random order.");
    assert.equal(
      findActiveModelProblem([
        { ...v2, state: "active" },
        { ...v3, state: "inactive" },
      ]),
      null,
    );
  });
});
