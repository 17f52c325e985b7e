import assert from "node:assert/strict";
import { it } from "node:test";
import { FeedServiceError } from "@feed/client";
import { logger } from "@/lib/logger";

it("log lines name a problem of the service without its detail, which may contain the id of a user", (test) => {
  const level = process.env["LOG_LEVEL"];
  process.env["LOG_LEVEL"] = "info";
  test.after(() => {
    process.env["LOG_LEVEL"] = level;
  });
  const lines: string[] = [];
  test.mock.method(process.stdout, "write", (text: string) => lines.push(text) > 0);

  logger.warn("follow.rejected", { error: new FeedServiceError("problem", "secret-user", 404, "unknown_user") });
  logger.warn("follow.failed", { error: new FeedServiceError("network", "fetch failed") });
  test.mock.restoreAll();

  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { error: string }).error),
    ["FeedServiceError: unknown_user", "FeedServiceError: fetch failed"],
  );
});
