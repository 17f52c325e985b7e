// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import TrafficPage from "@/app/operator/page";
import { EngagementRates } from "@/components/operator/engagement-rates";
import { timeRange } from "@/lib/feed/time-series";
import { REGISTRY_WITH_A_BAD_MODEL, useModelRegistry } from "@/tests/support/model-registry";

describe("the page of traffic", () => {
  const writeRegistry = useModelRegistry();
  /** Bodies by path; other calls are a failure of the network. */
  let bodies: Record<string, string | object>;

  beforeEach(() => {
    process.env["DATABASE_URL"] = "postgresql://127.0.0.1:1/none"; // nothing listens there
    bodies = {};
    vi.stubGlobal("fetch", async (given: string | Request) => {
      const { pathname } = new URL(typeof given === "string" ? given : given.url);
      const body = bodies[pathname];
      if (body === undefined) throw new TypeError("fetch failed");
      return typeof body === "string" ? new Response(body) : Response.json(body);
    });
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    for (const name of ["DATABASE_URL", "PROMETHEUS_URL", "OPERATOR_PAGE"]) delete process.env[name];
  });
  async function open(range?: string) {
    render(await TrafficPage({ searchParams: Promise.resolve(range === undefined ? {} : { range }) }));
    return (name: string) => within(screen.getByRole("region", { name }));
  }

  it("draws the figures of Prometheus, with the same figures as a table", async () => {
    process.env["PROMETHEUS_URL"] = "http://prometheus:9090";
    const values = [
      [1_700_000_000, "0.9"],
      [1_700_003_600, "1.5"],
    ];
    bodies["/api/v1/query_range"] = {
      data: { result: [{ metric: { source: "cold_start", stage: "total" }, values }] },
    };
    const region = await open("24h");

    const requests = region("Requests");
    requests.getByRole("img", { name: "Feed requests a second: the last figures are requests 1.50/s" });
    requests.getByRole("img", { name: /99th percentile.*total 1500 ms/ });
    requests.getByRole("img", { name: /Source of the lists.*cold start 1\.50\/s/ });
    assert.equal(screen.getByRole("link", { name: "Last 24 hours" }).getAttribute("aria-current"), "true");
    assert.match(document.querySelector("details table")?.textContent ?? "", /22:13.*0\.90\/s.*23:13.*1\.50\/s/);
  });

  it("shows what the service counted where there is no Prometheus", async () => {
    bodies["/metrics"] =
      'ml_recommendation_requests_total{source="personalized",status="200"} 3\n' +
      'ml_recommendation_requests_total{source="fallback",status="200"} 1\nml_degraded 1\n';
    const region = await open();

    region("Requests").getByText("4 feed requests since the process started. It is degraded now.");
    assert.match(region("Source of the lists").getAllByRole("row")[1]?.textContent ?? "", /personalized375\.0 %/);
  });

  it("says that a bad model is active", async () => {
    writeRegistry(REGISTRY_WITH_A_BAD_MODEL);
    const region = await open();

    const link = region("State").getByRole("link", { name: "a bad model is active" });
    assert.equal(link.getAttribute("href"), "/operator/models");
  });

  it("says that the service, Prometheus and the database are away", async () => {
    let region = await open("of another version");
    region("Requests").getByText("The service does not respond.");
    region("Click-through rate (CTR)").getByText("The database did not respond in time.");
    region("State").getAllByText("no response");
    cleanup();

    process.env["PROMETHEUS_URL"] = "http://prometheus:9090";
    region = await open();
    assert.equal(region("Requests").getAllByText("Prometheus does not respond at PROMETHEUS_URL.").length, 5);
  });

  it("shows the rate by reason and by place", () => {
    const cells = [
      { step: 0, reason: "f", firstPlace: 1, shown: 10, engaged: 5 },
      { step: 11, reason: "f", firstPlace: 4, shown: 10, engaged: 1 },
      { step: 11, reason: "t", firstPlace: 4, shown: 10, engaged: 0 },
    ];
    render(<EngagementRates cells={cells} pages={3} range={timeRange("1h")} nowMs={1_700_000_000_000} />);

    const rows = (label: string) =>
      within(screen.getByRole("region", { name: label }))
        .getAllByRole("row")
        .slice(1)
        .map((row) => [...row.children].map((cell) => cell.textContent));
    assert.deepEqual(rows("CTR by reason, whole period"), [
      ["following", "20", "6", "30.0 %"],
      ["trending", "10", "0", "0.0 %"],
    ]);
    assert.deepEqual(rows("CTR by place, whole period"), [
      ["place 1", "10", "5", "50.0 %"],
      ["place 4–5", "20", "1", "5.0 %"],
    ]);
    screen.getByRole("img", { name: "CTR by reason: the last figures are following 10.0 %, trending 0.0 %" });
  });

  it("does not exist while the console is off", async () => {
    process.env["OPERATOR_PAGE"] = "off";
    await assert.rejects(open(), /404/);
  });
});
