import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import pg from "pg";

export const CHECKOUT = path.resolve(import.meta.dirname, "..", "..", "..");

/** The path of Python in the environment of the checkout. */
export function python(): string {
  const executable = path.join(CHECKOUT, ".venv", "bin", "python");
  if (!existsSync(executable))
    throw new Error(`${executable}: does not exist; run scripts/run_tests.sh, which creates it`);
  return executable;
}

/** A real PostgreSQL with all migrations. Tests can stop and restart it. */
export class Postgres {
  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterableIterator<string>,
    private readonly folder: string,
    readonly url: string,
  ) {}

  static async start(): Promise<Postgres> {
    const folder = mkdtempSync(path.join(tmpdir(), "feed-web-"));
    const { LOG_LEVEL: _ofTheWebApplication, ...env } = process.env;
    const child = spawn(python(), ["-m", "tests.web.postgres_process", folder], { cwd: CHECKOUT, env });
    child.stderr.pipe(process.stderr);
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]() as AsyncIterableIterator<string>;
    const url = await readLine(lines);
    return new Postgres(child, lines, folder, url);
  }

  /** The rows of a statement, with a connection of its own. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client(this.url);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    this.process.stdin.write("stop\n");
    await readLine(this.lines);
  }

  async restart(): Promise<void> {
    this.process.stdin.write("start\n");
    const url = await readLine(this.lines);
    if (url !== this.url) throw new Error(`PostgreSQL restarted at ${url} instead of ${this.url}`);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function readLine(lines: AsyncIterableIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error("the process of PostgreSQL exited; its messages are above");
  return value;
}
