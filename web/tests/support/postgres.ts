import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";

export const CHECKOUT = path.resolve(import.meta.dirname, "..", "..", "..");

/** The Python of the locked environment. */
export function python(): string {
  const own = path.join(CHECKOUT, ".venv", "bin", "python");
  if (!existsSync(own)) throw new Error(`${own} is missing: run scripts/run_tests.sh, which makes it`);
  return own;
}

/** A real, migrated PostgreSQL that a test may stop and start. */
export class Postgres {
  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterableIterator<string>,
    private readonly folder: string,
    readonly url: string,
  ) {}

  static async start(): Promise<Postgres> {
    const folder = mkdtempSync(path.join(tmpdir(), "feed-web-"));
    const child = spawn(python(), ["-m", "tests.web.postgres_keeper", folder], { cwd: CHECKOUT });
    child.stderr.pipe(process.stderr);
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]() as AsyncIterableIterator<string>;
    const url = await lineOf(lines);
    return new Postgres(child, lines, folder, url);
  }

  async stop(): Promise<void> {
    this.process.stdin.write("stop\n");
    await lineOf(this.lines);
  }

  async restart(): Promise<void> {
    this.process.stdin.write("start\n");
    const url = await lineOf(this.lines);
    if (url !== this.url) throw new Error(`PostgreSQL came back as ${url}, not as ${this.url}`);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function lineOf(lines: AsyncIterableIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error("PostgreSQL's keeper ended; its messages are above");
  return value;
}
