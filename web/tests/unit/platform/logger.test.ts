import assert from "node:assert/strict";
import { FeedServiceError } from "@feed/client";
import { it, vi } from "vitest";
import { logger } from "@/lib/logger";

it("log lines name a problem of the service without its detail, which may contain the id of a user", () => {
  vi.stubEnv("LOG_LEVEL", "info");
  const lines: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);

  logger.warn("follow.rejected", { error: new FeedServiceError("problem", "secret-user", 404, "unknown_user") });
  logger.warn("follow.failed", { error: new FeedServiceError("network", "fetch failed") });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();

  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { error: string }).error),
    ["FeedServiceError: unknown_user", "FeedServiceError: fetch failed"],
  );
});
