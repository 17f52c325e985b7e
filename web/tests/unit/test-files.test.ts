import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { it } from "node:test";

const TESTS = path.resolve(import.meta.dirname, "..");
const HOOK_OUTSIDE_A_SUITE = /^(before|after|beforeEach|afterEach|use[A-Z]\w*)\(/m;

it("no unit test file has hooks outside a suite: all files run in one process, and would share them", () => {
  const files = readdirSync(path.join(TESTS, "unit"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => HOOK_OUTSIDE_A_SUITE.test(readFileSync(path.join(TESTS, "unit", file), "utf8")));

  assert.deepEqual(files, []);
});
