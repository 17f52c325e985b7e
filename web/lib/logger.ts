type Fields = Record<string, unknown>;
type Level = "info" | "warning" | "error";

const LEVELS: readonly string[] = ["debug", "info", "warning", "error", "silent"];

/** Writes one JSON object per line, with the field names of the service's log. LOG_LEVEL sets the lowest level. */
export const logger = {
  info: (event: string, fields: Fields = {}) => write("info", event, fields),
  warn: (event: string, fields: Fields = {}) => write("warning", event, fields),
  error: (event: string, fields: Fields = {}) => write("error", event, fields),
};

function write(level: Level, event: string, fields: Fields): void {
  const lowest = LEVELS.indexOf((process.env["LOG_LEVEL"] ?? "info").toLowerCase());
  if (LEVELS.indexOf(level) < lowest) return;
  const line = { timestamp: new Date().toISOString(), level, event, service: "web", ...fields };
  const text = JSON.stringify(line, (_key, value: unknown) => (value instanceof Error ? describe(value) : value));
  process.stdout.write(`${text}\n`);
}

/** A problem of the feed service without its detail, which may contain the id of a user. */
function describe(error: Error): string {
  const { code } = error as { code?: unknown };
  return `${error.name}: ${error.name === "FeedServiceError" && typeof code === "string" ? code : error.message}`;
}
