/** The unit tests of the web application and of the client package, and the tests that need a database or npm. */
import path from "node:path";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";

const WEB = path.join(import.meta.dirname, "web");
const CLIENT = path.join(import.meta.dirname, "packages/feed-client");
const SLOWEST_TEST_MS = 120_000;

function project(name: string, include: string[], options: object = {}): TestProjectConfiguration {
  return { extends: true, test: { name, include, ...options } };
}

export default defineConfig({
  cacheDir: path.join(import.meta.dirname, "node_modules/.vite"),
  resolve: {
    alias: [
      { find: /^@feed\/client$/, replacement: path.join(CLIENT, "src/index.ts") },
      { find: /^@feed\/client\/react$/, replacement: path.join(CLIENT, "src/use-feed.ts") },
      { find: /^@feed\/client\/testing$/, replacement: path.join(CLIENT, "src/testing/fake-service.ts") },
      { find: /^@\//, replacement: `${WEB}/` },
    ],
  },
  test: {
    env: { LOG_LEVEL: "silent" },
    reporters: ["dot"],
    testTimeout: SLOWEST_TEST_MS,
    hookTimeout: SLOWEST_TEST_MS,
    // A process for each file would take longer to start than to run.
    isolate: false,
    maxWorkers: 1,
    projects: [
      project("client", ["packages/feed-client/tests/*.test.ts"]),
      project("web", ["web/tests/unit/**/*.test.{ts,tsx}"]),
      project("database", ["web/tests/database/*.test.ts"], {
        globalSetup: path.join(WEB, "tests/support/shared-postgres.ts"),
      }),
      project("package", ["{packages/feed-client,web}/tests/package/*.test.ts"]),
    ],
  },
});
