import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "vitest";

const PACKAGE = path.resolve(import.meta.dirname, "..");

it("the types match the committed openapi.json; otherwise run npm run --workspace @feed/client generate", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "feed-types-"));
  const generated = path.join(folder, "openapi.ts");
  const { scripts } = JSON.parse(readFileSync(path.join(PACKAGE, "package.json"), "utf8")) as {
    scripts: { generate: string };
  };
  const [program = "", ...options] = scripts.generate.replace("src/openapi.ts", generated).split(" ");

  execFileSync(path.resolve(PACKAGE, "../../node_modules/.bin", program), options, { cwd: PACKAGE, stdio: "ignore" });

  assert.equal(readFileSync(generated, "utf8"), readFileSync(path.join(PACKAGE, "src", "openapi.ts"), "utf8"));
  rmSync(folder, { recursive: true });
});
