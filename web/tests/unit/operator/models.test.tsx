// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, render, screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import ModelsPage from "@/app/operator/models/page";
import { REGISTRY_WITH_A_BAD_MODEL, useModelRegistry } from "@/tests/support/model-registry";

describe("the page of models", () => {
  const write = useModelRegistry();
  beforeEach(() => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("the service is away")));
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    delete process.env["OPERATOR_PAGE"];
  });
  async function open(chosen: { first?: string; second?: string } = {}) {
    render(await ModelsPage({ searchParams: Promise.resolve(chosen) }));
    return (name: string) => within(screen.getByRole("region", { name }));
  }

  it("says at once that the active version is bad, and how to go back", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const region = await open();

    const active = region("v3 is active");
    active.getByText("v3 is a bad model: it should not serve.");
    active.getByText("v3 is worse than v2: −.052 NDCG@10 (−.071 to −.034).");
    active.getByText("uv run python -m training.registry rollback");
  });

  it("answers whether one version is better than another", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const region = await open({ first: "v2", second: "v3" });

    const answer = region("Is v2 better than v3?");
    answer.getByText("Yes");
    answer.getByText("v2 is better than v3: +.052 NDCG@10 (.034 to .071).");
    answer.getByText(/Measured on the same 812 past requests by 143 people/);
  });

  it("says that a difference is not available for a version of before", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const region = await open({ first: "v3", second: "v1" });

    region("Is v3 better than v1?").getByText(/paired difference of v3 and v1 is not available/);
  });

  it("shows the versions side by side, with states, intervals and reasons", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const region = await open();

    const rows = region("Model versions").getAllByRole("row");
    assert.deepEqual(
      rows.slice(1).map((row) => [...row.children].slice(0, 3).map((cell) => cell.textContent)),
      [
        ["v4", "rejected", "not available"],
        ["v3", "active", "bad: see above"],
        ["v2", "inactive", "better +.052 (.034 to .071)"],
        ["v1", "inactive", "not available"],
      ],
    );
    assert.match(rows[2]?.textContent ?? "", /\.250 \(\.230 to \.270\)/);
    region("Versions side by side").getByText("it ranks worse than random: -12.0%");
  });

  it("shows the active version, however many rejected ones follow it", async () => {
    const rejected = Array.from({ length: 30 }, (_, index) => ({ version: `v${index + 5}`, status: "rejected" }));
    write({ ...REGISTRY_WITH_A_BAD_MODEL, models: [...REGISTRY_WITH_A_BAD_MODEL.models, ...rejected] });
    const region = await open();

    region("v3 is active").getByText("Go back to v2:");
  });

  it("copies the commands, and has none for a rejected version", async () => {
    write(REGISTRY_WITH_A_BAD_MODEL);
    const user = userEvent.setup();
    const region = await open();

    const commands = region("Change what serves");
    await user.click(commands.getByRole("button", { name: "Copy: promote v2" }));

    assert.equal(await navigator.clipboard.readText(), "uv run python -m training.registry promote v2");
    assert.equal(commands.queryByRole("button", { name: "Copy: promote v4" }), null);
    commands.getByText("Rejected versions cannot be made active: v4.");
  });

  it("says what is missing: the registry, a model, the service", async () => {
    await open();
    screen.getByText(/The model registry cannot be read/);
    cleanup();
    write({ models: [] });
    await open();
    screen.getByText(/No model has been published/);
    cleanup();
    write(REGISTRY_WITH_A_BAD_MODEL);
    await open();
    screen.getByText(/The service does not respond/);
  });

  it("does not exist while the console is off", async () => {
    process.env["OPERATOR_PAGE"] = "off";
    await assert.rejects(open(), /404/);
  });
});
