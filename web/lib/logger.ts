import pino from "pino";

type Fields = Record<string, unknown>;

const log = pino(
  {
    base: { service: "web" },
    messageKey: "event",
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
    serializers: { error: describe, cause: describe },
  },
  process.stdout,
);

/** Writes one JSON object per line, with the field names of the service's log. LOG_LEVEL sets the lowest level. */
export const logger = {
  info: (event: string, fields: Fields = {}) => atLevel().info(fields, event),
  warn: (event: string, fields: Fields = {}) => atLevel().warn(fields, event),
  error: (event: string, fields: Fields = {}) => atLevel().error(fields, event),
};

/** The logger with the present LOG_LEVEL, which tests change. */
function atLevel(): pino.Logger {
  const level = (process.env["LOG_LEVEL"] || "info").toLowerCase();
  log.level = level === "warning" ? "warn" : level;
  return log;
}

/** A problem of the feed service without its detail, which may contain the id of a user. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return `${error.name}: ${error.name === "FeedServiceError" && typeof code === "string" ? code : error.message}`;
}
