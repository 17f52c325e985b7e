import { type MockInstance, vi } from "vitest";

export type LogLine = Record<string, unknown> & { event: string };

/** Captures the log of this process, instead of writing it, until `restore`. */
export class CapturedLog {
  readonly lines: LogLine[] = [];
  private readonly waiting: { event: string; resolve: (line: LogLine) => void }[] = [];
  private readonly write: MockInstance;

  constructor() {
    vi.stubEnv("LOG_LEVEL", "info");
    const original = process.stdout.write.bind(process.stdout);
    // The test runner writes to the same stream.
    this.write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
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
    this.write.mockRestore();
    vi.unstubAllEnvs();
  }
}
