import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { connectionSettings } from "@/lib/platform/dsn";

const BASE = "postgresql://user:p%40ss@host:5432/db";

describe("the settings of a connection", () => {
  const cases: [dsn: string, url: string, options: string][] = [
    [BASE, BASE, ""],
    ["postgres://user:p%40ss@host:5432/db", BASE, ""],
    ["postgresql+psycopg2://user:p%40ss@host:5432/db", BASE, ""],
    [`${BASE}?schema=public&connection_limit=1&pool_timeout=0`, BASE, ""],
    [`${BASE}?pgbouncer=true&max=1&statement_timeout=1`, BASE, ""],
    [`${BASE}?sslmode=require&channel_binding=require`, `${BASE}?sslmode=require`, ""],
    [`${BASE}?sslmode=require&options=endpoint%3Dep-1`, `${BASE}?sslmode=require`, "endpoint=ep-1"],
  ];
  for (const [dsn, url, options] of cases) {
    it(`are read from ${dsn.slice(dsn.indexOf("?") + 1)}`, () => {
      assert.deepEqual(connectionSettings(dsn), { url, options });
    });
  }
});
