import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import path from "node:path";
import { CHECKOUT } from "./postgres";
import { TEST_SETTINGS } from "./session";

const START_TIMEOUT_MS = 30_000;

/** The built application, run by `next start`. */
export class WebServer {
  private constructor(
    private readonly process: ChildProcess,
    readonly url: string,
    readonly output: string[],
  ) {}

  static async start(environment: Record<string, string>): Promise<WebServer> {
    const port = await freePort();
    const web = path.join(CHECKOUT, "web");
    const next = path.join(CHECKOUT, "node_modules", "next", "dist", "bin", "next");
    const child = spawn(process.execPath, [next, "start", "--port", String(port), "--hostname", "127.0.0.1"], {
      cwd: web,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", LOG_LEVEL: "info", ...TEST_SETTINGS, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (text: Buffer) => output.push(text.toString()));
    const server = new WebServer(child, `http://127.0.0.1:${port}`, output);
    await waitForSuccess(`${server.url}/api/health`, START_TIMEOUT_MS, () => {
      if (child.exitCode !== null) throw new Error(`next start exited: ${output.join("")}`);
    });
    return server;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
  }
}

/** Waits until a URL returns a success status. `check` runs before each attempt. */
export async function waitForSuccess(
  url: string,
  timeoutMs: number,
  check: () => void = () => undefined,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    check();
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => null);
    if (response?.ok) return;
    if (Date.now() > deadline) throw new Error(`${url}: no success within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
