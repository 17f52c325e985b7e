// @vitest-environment happy-dom
import assert from "node:assert/strict";
import type { ExperimentOverview } from "@feed/client";
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import ExperimentsPage from "@/app/operator/experiments/page";

const COMPARISON = {
  metric: "like",
  unit: "user",
  window_days: 7,
  variant: "more",
  control: 3.193,
  other: 3.518,
  difference: 0.325,
  low: 0.061,
  high: 0.588,
  outcome: "better",
  verdict: "better than the control",
} as const;
const READ_OUT: NonNullable<ExperimentOverview["read_out"]> = {
  window_days: 7,
  users: { control: 10852, more: 10687 },
  complete_users: { control: 9000, more: 8900 },
  mixed_users: 0,
  sample_ratio_p_value: 1,
  lost_users: false,
  primary: [COMPARISON],
  guardrails: [
    {
      ...COMPARISON,
      metric: "hide_post",
      unit: "1,000 posts",
      window_days: 1,
      outcome: "worse",
      verdict: "worse than the control",
    },
    { ...COMPARISON, metric: "report_post", unit: "1,000 posts", low: null, high: null, outcome: "too_few" },
  ],
  days: [
    { day: "2026-12-01", variant: "more", control: 1, other: 0.9, difference: -0.1, low: null, high: null },
    { day: "2026-12-02", variant: "more", control: 1, other: 1.2, difference: 0.2, low: 0.1, high: 0.3 },
  ],
  positions: [{ name: "1", variant: "more", control: 30, other: 60, control_shown: 12000, other_shown: 11000 }],
  reasons: [{ name: "trending", variant: "more", control: 3, other: 6, control_shown: 12000, other_shown: 11000 }],
};
const PREFERENCE: NonNullable<ExperimentOverview["preference"]> = {
  window_days: 7,
  metric: "like",
  control: "control",
  variant: "more",
  users: 2400,
  complete_users: 2000,
  pages: 7106,
  control_events: 1000,
  variant_events: 1300,
  preference: 0.15,
  low: 0.02,
  high: 0.28,
  verdict: "users prefer more",
};
const EXPERIMENT: ExperimentOverview = {
  name: "more_exploration",
  kind: "ab_test",
  enabled: true,
  start: "2026-12-01T00:00:00Z",
  end: "2026-12-29T00:00:00Z",
  primary_metric: "like",
  guardrails: ["hide_post", "report_post"],
  window_days: 7,
  planned_users: 16658,
  held_back: 0.1,
  variants: [
    { name: "control", share: 0.45, is_control: true, ranking: {} },
    { name: "more", share: 0.45, is_control: false, ranking: { exploration_share: 0.1 }, model: "v7" },
  ],
  stops: [],
  read_at: "2026-12-14T01:12:00Z",
  read_out: READ_OUT,
};

describe("the page of experiments", () => {
  let experiments: ExperimentOverview[] | null;

  beforeEach(() => {
    experiments = [EXPERIMENT];
    vi.stubGlobal("fetch", async (request: Request) => {
      assert.equal(new URL(request.url).pathname, "/admin/experiments");
      if (experiments === null) throw new TypeError("fetch failed");
      return Response.json({ experiments });
    });
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });
  async function open() {
    render(await ExperimentsPage());
    return (name: string) => within(screen.getByRole("region", { name }));
  }
  const cellsOf = (row: HTMLElement | undefined) => [...(row?.children ?? [])].map((cell) => cell.textContent);

  it("says which variant is better, and by how much", async () => {
    const region = await open();

    region("more_exploration").getByText(/in like: better than the control\./);
    const [, row] = region("Primary metric").getAllByRole("row");
    assert.deepEqual(cellsOf(row), [
      "like per user", "more", "7", "3.193", "3.518", "+0.325", "+0.061 to +0.588", "better",
    ]); // biome-ignore format: a row of the table
  });

  it("shows guardrails, also those without enough data", async () => {
    const region = await open();

    const rows = region("Guardrails").getAllByRole("row").slice(1).map(cellsOf);
    assert.deepEqual(
      rows.map((cells) => [cells[0], cells[2], cells[6], cells[7]]),
      [
        ["hide_post per 1,000 posts", "1", "+0.061 to +0.588", "worse"],
        ["report_post per 1,000 posts", "7", "–", "not enough data"],
      ],
    );
  });

  it("draws the effect of each day, with the figures for screen readers", async () => {
    const region = await open();

    const title = "like per user and day, more minus control";
    screen.getByRole("img", { name: `${title}: −0.100 on 2026-12-01, +0.200 on 2026-12-02` });
    const rows = region(`${title}, figures`).getAllByRole("row").slice(1).map(cellsOf);
    assert.deepEqual(rows, [
      ["2026-12-01", "−0.100", "–"],
      ["2026-12-02", "+0.200", "+0.100 to +0.300"],
    ]);
  });

  it("has the users of each variant, and rates by position and by reason", async () => {
    const region = await open();

    const variants = region("Variants of more_exploration").getAllByRole("row").slice(1).map(cellsOf);
    assert.deepEqual(variants, [
      ["control", "45 %", "10,852", "9,000", "as served"],
      ["more", "45 %", "10,687", "8,900", "model v7, exploration_share 0.1"],
    ]);
    for (const [label, name] of [
      ["like by position", "1"],
      ["like by reason", "trending"],
    ] as const) {
      assert.equal(cellsOf(region(label).getAllByRole("row")[1])[0], name);
    }
  });

  it("names the channel whose newest version ranks", async () => {
    const variant = { name: "more", share: 0.45, is_control: false, ranking: {}, channel: "full" } as const;
    experiments = [{ ...EXPERIMENT, variants: [...EXPERIMENT.variants.slice(0, 1), variant] }];
    const region = await open();

    const [, , row] = region("Variants of more_exploration").getAllByRole("row");
    assert.deepEqual(cellsOf(row).slice(-1), ["channel full"]);
  });

  it("says that a guardrail stopped a variant, when and why", async () => {
    experiments = [
      {
        ...EXPERIMENT,
        stops: [{ variant: "more", metric: "hide_post", reason: "the figures", stopped_at: "2026-12-14T01:12:00Z" }],
      },
    ];
    const region = await open();

    const page = region("more_exploration");
    page.getByText("The guardrail hide_post stopped more at 2026-12-14 01:12 UTC.");
    page.getByText("the figures");
    page.getByRole("rowheader", { name: "more (stopped)" });
  });

  it("warns when something loses users", async () => {
    experiments = [{ ...EXPERIMENT, read_out: { ...READ_OUT, lost_users: true, sample_ratio_p_value: 0.00012 } }];
    await open();

    screen.getByText(/contradict the shares \(p = 0\.00012\): something loses users/);
  });

  it("shows an experiment before its first read-out", async () => {
    experiments = [{ ...EXPERIMENT, enabled: false, read_at: null, read_out: null }];
    await open();

    screen.getByText(/Switched off\. From 2026-12-01 00:00 UTC .* It was not read out yet\./);
    screen.getByText("uv run python -m training.experiment report more_exploration");
  });

  it("says which ranking of an interleaving users prefer, and how sure that is", async () => {
    experiments = [{ ...EXPERIMENT, kind: "interleaving", read_out: null, preference: PREFERENCE }];
    const region = await open();

    screen.getByText(/Its lists are interleaved from two rankings\. Read out at 2026-12-14 01:12 UTC/);
    region("more_exploration").getByText(/Users prefer more\./);
    region("more_exploration").getByText("known");
    const [, row] = region("Preference in like").getAllByRole("row");
    assert.deepEqual(cellsOf(row), ["2,400", "2,000", "7,106", "1,000", "1,300", "+0.150", "+0.020 to +0.280"]);
    cleanup();

    const early = { ...PREFERENCE, low: null, high: null, verdict: "not enough data yet: it takes 200 users" };
    experiments = [{ ...EXPERIMENT, kind: "interleaving", read_out: null, preference: early }];
    const page = await open();
    page("more_exploration").getByText(/Not enough data yet: it takes 200 users\./);
    assert.deepEqual(cellsOf(page("Preference in like").getAllByRole("row")[1]).slice(-1), ["–"]);
  });

  it("says how to begin without an experiment, and that the service is away", async () => {
    experiments = [];
    await open();
    screen.getByText(/No experiment is configured/);
    cleanup();

    experiments = null;
    await open();
    screen.getByText("The service does not respond.");
  });
});
