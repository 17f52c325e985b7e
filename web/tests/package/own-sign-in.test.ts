/** The sample of docs/adopting.md that replaces the sign-in, in a copy of the application. Installs from the registry. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const SOURCES = ["tsconfig.base.json", "packages/feed-client", "web"];
const NOT_SOURCES = new Set(["node_modules", ".next", "dist"]);
const BLOCK = /```ts\n\/\/ (\S+)\n(.*?)```/gs;

const [, section = ""] = readFileSync(path.join(ROOT, "docs/adopting.md"), "utf8").split(/^## Your own sign-in$/m);
const [sample = ""] = section.split(/^## /m);
const files = [...sample.matchAll(BLOCK)].map(([, file = "", text = ""]) => ({ file, text }));

// Below the root, so that the modules of the repository are found.
mkdirSync(path.join(ROOT, ".local"), { recursive: true });
const folder = mkdtempSync(path.join(ROOT, ".local/own-sign-in-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(program: string, ...options: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, options, { cwd: folder, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

beforeAll(() => {
  for (const source of SOURCES)
    cpSync(path.join(ROOT, source), path.join(folder, source), {
      recursive: true,
      filter: (file) => !NOT_SOURCES.has(path.basename(file)),
    });
  writeFileSync(path.join(folder, "package.json"), '{ "private": true }');
  const [, library = ""] = /^npm install --workspace @feed\/web (\S+)$/m.exec(sample) ?? [];
  // Next.js and React are those of the repository.
  const installed = run("npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund", library);
  assert.equal(installed.status, 0, installed.output);
});

it("changes one module, adds two, and compiles with the rest of the application", () => {
  const added = files.filter(({ file }) => !existsSync(path.join(folder, file)));
  for (const { file, text } of files) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }

  const compiled = run(path.join(ROOT, "node_modules/.bin/tsc"), "--noEmit", "--project", "web");

  assert.deepEqual(compiled, { status: 0, output: "" });
  assert.deepEqual([files.length, added.length], [3, 2]);
});
