/** The tests of the built application in a real browser, which `tests/support/browser.ts` opens. */
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests/browser",
  testMatch: "*.test.ts",
  // Each file has its own database, service and web server; two of them at once would disturb what a third measures.
  workers: 1,
  timeout: 300_000,
  reporter: "list",
  forbidOnly: true,
  // One picture for all machines: the font is our own, and edges of letters may differ.
  snapshotPathTemplate: "{testDir}/appearance/{arg}{ext}",
  expect: { toHaveScreenshot: { threshold: 0.3, maxDiffPixelRatio: 0.02 } },
  outputDir: "../.local/browser-tests",
});
