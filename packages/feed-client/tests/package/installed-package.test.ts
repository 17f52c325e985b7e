/** The package that `npm pack` makes, in a folder that knows nothing of this repository. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, it } from "vitest";

const PACKAGE = path.resolve(import.meta.dirname, "../..");
const MODULES = path.resolve(PACKAGE, "../../node_modules");
const DEPENDENCIES = ["openapi-fetch", "openapi-typescript-helpers"];
/** Compressed size of everything that `@feed/client` and `@feed/client/react` load, with `openapi-fetch`. */
const MAX_BYTES = 16_000;

describe("the installed package", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "feed-client-"));
  const installed = path.join(folder, "node_modules/@feed/client");
  const run = (program: string, ...options: string[]) =>
    execFileSync(program, options, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  beforeAll(() => {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: PACKAGE, stdio: "ignore" });
    const [archive = ""] = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
    mkdirSync(installed, { recursive: true });
    run("tar", "-xzf", archive, "--strip-components=1", "-C", installed);
    for (const name of DEPENDENCIES) symlinkSync(path.join(MODULES, name), path.join(folder, "node_modules", name));
    writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("has compiled modules with their types, and neither sources nor tests", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((file) => file.includes("."));

    const others = files.filter((file) => !/^dist\/[\w/-]+\.(js|d\.ts)$/.test(file.replaceAll(path.sep, "/")));
    assert.deepEqual(others.sort(), ["README.md", "package.json"]);
    assert.ok(files.length > 20);
    assert.ok(readdirSync(installed).includes("LICENSE"));
  });

  it(`is at most ${MAX_BYTES / 1000} kB in a browser`, () => {
    const own = readdirSync(path.join(installed, "dist")).filter((file) => file.endsWith(".js"));
    const modules = own.map((file) => path.join(installed, "dist", file));
    modules.push(path.join(MODULES, "openapi-fetch/dist/index.mjs"));

    const sizes = modules.map((file) => gzipSync(readFileSync(file)).length);

    assert.ok(sizes.reduce((sum, size) => sum + size) <= MAX_BYTES, `${modules.join(" ")}: ${sizes.join(" ")}`);
  });

  it("calls the service from plain Node.js", () => {
    writeFileSync(
      path.join(folder, "call.js"),
      `import { FeedServiceClient } from "@feed/client";
       import { FakeFeedService } from "@feed/client/testing";

       const service = new FakeFeedService(["11111111-1111-4111-8111-111111111111"]);
       await service.start();
       const page = await new FeedServiceClient({ baseUrl: service.url, timeoutMs: 20000 }).recommendations({ user_id: "ann" });
       await service.stop();
       console.log(page.recommendations.length, page.metadata.model_version);`,
    );

    assert.equal(run(process.execPath, "call.js"), "1 v1\n");
  });

  it("has types for other projects, with the React entry apart", () => {
    const options = { module: "ESNext", moduleResolution: "bundler", target: "ES2022", strict: true, noEmit: true };
    for (const name of ["react", "@tanstack", "@types"])
      symlinkSync(path.join(MODULES, name), path.join(folder, "node_modules", name));
    writeFileSync(
      path.join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, types: ["node"] } }),
    );
    writeFileSync(
      path.join(folder, "use.ts"),
      `import { FeedServiceClient, type Recommendation } from "@feed/client";
       import { type Feed, useFeed } from "@feed/client/react";

       const client = new FeedServiceClient({ baseUrl: "http://localhost:8000" });
       export const first = async (): Promise<Recommendation | undefined> =>
         (await client.recommendations({ user_id: "ann" })).recommendations[0];
       export const feed = (): Feed<{ id: string }> => useFeed<{ id: string }>({ mode: "ranked", user: "ann" });
       // @ts-expect-error: the request needs a user
       export const wrong = client.recommendations({ limit: 1 });`,
    );

    run(path.join(MODULES, ".bin/tsc"), "--project", folder);
    assert.doesNotMatch(readFileSync(path.join(installed, "dist/index.js"), "utf8"), /react|use-feed/);
  });
});
