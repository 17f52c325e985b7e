import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CHECKOUT, python } from "./postgres";
import { freePort, waitForSuccess } from "./web-server";

const START_TIMEOUT_MS = 60_000;

/** The real service. Tests can kill and restart it. */
export class FeedService {
  private process: ChildProcess | null = null;
  private output: string[] = [];

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** The service with demo data and a trained model. */
  static async start(databaseUrl: string, environment: Record<string, string> = {}): Promise<FeedService> {
    const service = await FeedService.create(databaseUrl, environment);
    service.run("data.seed_database");
    // A short training is enough for these tests.
    service.run("training.train", "--learn-from", "500");
    await service.restart();
    return service;
  }

  /** The service with the data that the database has, and without a model. */
  static async startWithoutModel(databaseUrl: string, environment: Record<string, string> = {}): Promise<FeedService> {
    const service = await FeedService.create(databaseUrl, environment);
    await service.restart();
    return service;
  }

  private static async create(databaseUrl: string, environment: Record<string, string>): Promise<FeedService> {
    const folder = mkdtempSync(path.join(tmpdir(), "feed-service-"));
    const port = await freePort();
    const { LOG_LEVEL: _ofTheWebApplication, ...inherited } = process.env;
    return new FeedService(folder, port, {
      ...inherited,
      DATABASE_URL: databaseUrl,
      MODELS_DIR: path.join(folder, "models"),
      KEYS_DIR: path.join(folder, "keys"),
      ...environment,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get modelsDir(): string {
    return path.join(this.folder, "models");
  }

  /** Publishes a model that ranks by time, and returns when the service serves it. */
  async publishBadModel(): Promise<void> {
    this.run("tests.web.publish_bad_model");
    await this.restart();
  }

  /** Ends the process with SIGKILL. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async restart(): Promise<void> {
    await this.kill();
    const server = ["-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", String(this.port)];
    const child = spawn(python(), server, { cwd: CHECKOUT, env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    this.output = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text: Buffer) => this.output.push(text.toString()));
    this.process = child;
    await waitForSuccess(`${this.url}/readyz`, START_TIMEOUT_MS, () => {
      if (child.exitCode !== null) throw new Error(`the service exited: ${this.output.join("").slice(-2000)}`);
    });
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private run(module: string, ...options: string[]): void {
    const result = spawnSync(python(), ["-m", module, ...options], {
      cwd: CHECKOUT,
      env: this.environment,
      encoding: "utf8",
    });
    if (result.status !== 0) throw new Error(`${module} exited with ${result.status}: ${result.stderr.slice(-2000)}`);
  }
}
