/** The package of the client in a Next.js application that knows nothing of this repository. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { FakeFeedService } from "@feed/client/testing";
import { test } from "@playwright/test";
import { CHECKOUT } from "@/tests/support/postgres";

const POST_ID = "11111111-1111-4111-8111-111111111111";
const PAGE = `
  import { FeedServiceClient } from "@feed/client";

  export const dynamic = "force-static"; // so that the build makes the call
  export default async function Page() {
    const service = new FeedServiceClient({ baseUrl: process.env.SERVICE_URL, timeoutMs: 20000 });
    const { recommendations } = await service.recommendations({ user_id: "ann" });
    return <p>{recommendations[0].post_id}</p>;
  }`;
const FEED = `
  "use client";
  import { useFeed } from "@feed/client/react";
  import { QueryClient, QueryClientProvider } from "@tanstack/react-query";

  const client = new QueryClient();
  function Feed() {
    return <p>{useFeed({ mode: "ranked", user: "ann" }).entries.length} posts</p>;
  }
  export default function Page() {
    return <QueryClientProvider client={client}><Feed /></QueryClientProvider>;
  }`;

// below .local, so that Node.js finds `next` and `react` in the checkout, and the package in the application
mkdirSync(path.join(CHECKOUT, ".local"), { recursive: true });
const folder = mkdtempSync(path.join(CHECKOUT, ".local", "next-app-"));
const service = new FakeFeedService([POST_ID]);
test.afterAll(async () => {
  await service.stop();
  rmSync(folder, { recursive: true });
});

test("is built into an empty Next.js application, and calls the service", async () => {
  const installed = path.join(folder, "node_modules/@feed/client");
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  execFileSync("npm", ["pack", "--silent", "--workspace", "@feed/client", "--pack-destination", folder], {
    cwd: CHECKOUT,
    stdio: "ignore",
  });
  const archive = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? assert.fail("no package");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", archive, "--strip-components=1", "-C", installed], { cwd: folder });
  write("package.json", '{ "type": "module" }');
  write("next.config.js", `export default { turbopack: { root: ${JSON.stringify(CHECKOUT)} } };`);
  write("app/layout.js", "export default ({ children }) => <html><body>{children}</body></html>;");
  write("app/page.js", PAGE);
  write("app/feed/page.js", FEED);
  await service.start();

  await promisify(execFile)(path.join(CHECKOUT, "node_modules/.bin/next"), ["build"], {
    cwd: folder,
    env: { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", SERVICE_URL: service.url },
  });

  const html = (page: string) => readFileSync(path.join(folder, ".next/server/app", `${page}.html`), "utf8");
  assert.match(html("index"), new RegExp(POST_ID));
  assert.match(html("feed"), /posts/);
});
