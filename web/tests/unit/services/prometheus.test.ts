import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "vitest";
import { timeRange } from "@/lib/feed/time-series";
import { readTrafficHistory } from "@/lib/services/prometheus";

const NOW_MS = 1_700_000_000_000;

describe("the traffic from Prometheus", () => {
  let server: Server;
  let queries: URLSearchParams[];
  let respond: (query: string) => { status: number; body: unknown };

  beforeEach(async () => {
    queries = [];
    server = createServer((request, response) => {
      const parameters = new URL(request.url ?? "", "http://p").searchParams;
      queries.push(parameters);
      const { status, body } = respond(parameters.get("query") ?? "");
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const matrix = (result: unknown[]) => ({ status: 200, body: { status: "success", data: { result } } });

  it("is read for the whole range, with a name for each line", async () => {
    respond = (query) =>
      matrix(
        query.includes("by (stage")
          ? [
              {
                metric: { stage: "score" },
                values: [
                  [1_699_999_700, "0.004"],
                  [1_700_000_000, "NaN"],
                ],
              },
            ]
          : [{ metric: {}, values: [[1_700_000_000, "2.5"]] }],
      );

    const history = await readTrafficHistory(address(), timeRange("1h"), NOW_MS);

    assert.deepEqual(history.requestsPerSecond.value, [{ name: "requests", points: [{ timeMs: NOW_MS, value: 2.5 }] }]);
    assert.deepEqual(history.latencyP99.value?.[0], {
      name: "score",
      points: [
        { timeMs: NOW_MS - 300_000, value: 0.004 },
        { timeMs: NOW_MS, value: null },
      ],
    });
    assert.equal(history.degraded.value?.length, 2);
    assert.deepEqual([queries[0]?.get("start"), queries[0]?.get("step")], ["1699996400", "300"]);
  });

  it("says what Prometheus rejects, and keeps the other figures", async () => {
    respond = (query) =>
      query.includes("web_feed_pages_total")
        ? { status: 422, body: { status: "error", error: "too many samples" } }
        : matrix([]);

    const history = await readTrafficHistory(address(), timeRange("7d"), NOW_MS);

    assert.deepEqual(history.sources, { value: [], problem: null });
    assert.equal(history.degraded.problem, "Prometheus answered with status 422: too many samples");
  });

  it("says that Prometheus is away, or is something else", async () => {
    respond = () => ({ status: 200, body: { form: "another" } });
    const other = await readTrafficHistory(address(), timeRange("1h"), NOW_MS);
    const away = await readTrafficHistory("http://127.0.0.1:1", timeRange("1h"), NOW_MS);

    assert.equal(other.sources.problem, "Prometheus gave an answer of another form.");
    assert.equal(away.sources.problem, "Prometheus does not respond at PROMETHEUS_URL.");
  });
});
