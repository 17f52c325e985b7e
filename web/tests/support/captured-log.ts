import { mock } from "node:test";

export type LogLine = Record<string, unknown> & { event: string };

/** Captures the log of this process, instead of writing it, until `restore`. */
export class CapturedLog {
  readonly lines: LogLine[] = [];
  private readonly level = process.env["LOG_LEVEL"];
  private readonly waiting: { event: string; resolve: (line: LogLine) => void }[] = [];
  private readonly write: { mock: { restore(): void } };

  constructor() {
    process.env["LOG_LEVEL"] = "info";
    const original = process.stdout.write.bind(process.stdout);
    // The test runner writes to the same stream.
    this.write = mock.method(process.stdout, "write", (chunk: string | Uint8Array) => {
      if (typeof chunk !== "string" || !chunk.startsWith('{"level"')) return original(chunk);
      const line = JSON.parse(chunk) as LogLine;
      this.lines.push(line);
      for (const { event, resolve } of this.waiting) if (event === line.event) resolve(line);
      return true;
    });
  }

  /** The next line with this event. */
  next(event: string): Promise<LogLine> {
    return new Promise((resolve) => this.waiting.push({ event, resolve }));
  }

  restore(): void {
    this.write.mock.restore();
    process.env["LOG_LEVEL"] = this.level;
  }
}
