import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

/** Signs the sessions of `next dev` and of tests. */
const DEVELOPMENT_SECRET = "development-only-development-only";
const MIN_SECRET_LENGTH = 32;
/** The number of events that a browser may send at once. */
const MIN_EVENTS = 200;
const EVENTS_RULE = `set a whole number from ${MIN_EVENTS}`;
const PERCENT_RULE = "set a number from 0 to 100";

const optional = z
  .string()
  .optional()
  .transform((text) => text || undefined);
const choice = <const Names extends readonly [string, string]>(names: Names) =>
  optional.pipe(z.enum(names, { error: `set ${names.join(" or ")}` }).optional());
const url = z.url({ protocol: /^https?$/, error: "set a URL that begins with http:// or https://" });
const key = optional.pipe(z.string().min(8, "set at least 8 characters").optional());
const secret = z.string().min(MIN_SECRET_LENGTH, `set at least ${MIN_SECRET_LENGTH} characters for each secret`);
const secrets = optional
  .transform((text) => text?.split(",").map((secret) => secret.trim()))
  .pipe(z.tuple([secret], secret).optional());

const environment = z
  .object({
    NODE_ENV: optional,
    ML_SERVICE_URL: optional.transform((text) => text ?? "http://ml-service:8000").pipe(url),
    ML_SERVICE_API_KEY: optional,
    ML_SERVICE_ADMIN_KEY: optional,
    DATABASE_URL: optional.pipe(
      z
        .string()
        .regex(/^postgres(ql)?(\+\w+)?:\/\//, "set a URL that begins with postgresql://")
        .optional(),
    ),
    DB_SCHEMA: optional,
    FEED_PERCENT: optional
      .transform((text) => Number(text ?? 100))
      .pipe(z.number(PERCENT_RULE).min(0, PERCENT_RULE).max(100, PERCENT_RULE)),
    FEED_SHADOW: optional.transform((text) => text ?? "false").pipe(z.enum(["true", "false"], "set true or false")),
    MODELS_DIR: optional,
    PROMETHEUS_URL: optional.pipe(url.optional()),
    SESSION_SECRET: secrets,
    EVENTS_PER_MINUTE: optional
      .transform((text) => Number(text ?? 600))
      .pipe(z.int(EVENTS_RULE).min(MIN_EVENTS, EVENTS_RULE)),
    DEMO_USERS: choice(["on", "off"]),
    OPERATOR_PAGE: choice(["on", "off"]),
    OPERATOR_KEY: key,
    METRICS_KEY: key,
    LOG_LEVEL: optional
      .transform((text) => (text ?? "info").toLowerCase())
      .pipe(z.enum(["debug", "info", "warning", "error", "silent"], "set debug, info, warning, error or silent")),
  })
  .superRefine((given, context) => {
    const require = (name: "SESSION_SECRET" | "OPERATOR_KEY", reason: string) => {
      if (!given[name]) context.addIssue({ code: "custom", path: [name], message: `${reason}; set it` });
    };
    if (given.NODE_ENV !== "production") return;
    require("SESSION_SECRET", "signs the sessions in production");
    if (given.OPERATOR_PAGE === "on") require("OPERATOR_KEY", "protects the operator page in production");
  });
type Environment = z.output<typeof environment>;

/** A variable has a value that it cannot have; the message is one line with its name and the remedy. */
export class InvalidSetting extends Error {
  override readonly name = "InvalidSetting";
}

/** Checks all settings. Throws InvalidSetting for the first one that is wrong. */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  const { data, error } = environment.safeParse(variables);
  if (data) return data;
  const [issue] = error.issues;
  const name = String(issue?.path[0]);
  const isSecret = /KEY|SECRET|_URL$/.test(name);
  const value = variables[name] ? `${isSecret ? "the value" : JSON.stringify(variables[name])} is invalid; ` : "";
  throw new InvalidSetting(`${name}: ${value}${issue?.message}`);
}

/** The settings of the deployment. Each use reads them again, because `.local/postgres/url` and tests change them. */
export const config = {
  /** True for a build, false for `next dev` and tests. */
  get isProduction(): boolean {
    return process.env["NODE_ENV"] === "production";
  },
  get mlServiceUrl(): string {
    return readEnvironment().ML_SERVICE_URL;
  },
  get mlServiceApiKey(): string | undefined {
    return readEnvironment().ML_SERVICE_API_KEY;
  },
  /** The key with which the operator console asks about any user. */
  get mlServiceAdminKey(): string | undefined {
    return readEnvironment().ML_SERVICE_ADMIN_KEY ?? this.mlServiceApiKey;
  },
  /** `DATABASE_URL`, else the URL of the embedded PostgreSQL of the checkout; null if neither exists. */
  get databaseUrl(): string | null {
    return readEnvironment().DATABASE_URL ?? embeddedDatabaseUrl();
  },
  /** `DB_SCHEMA`. Unset: PostgreSQL finds the views in `public`, or beside the tables of a team in `feed`. */
  get databaseSchemas(): string[] {
    const name = readEnvironment().DB_SCHEMA;
    return name ? [name] : ["public", "feed"];
  },
  /** The percentage of users, 0..100, who get the ranked feed. The others get the newest posts. */
  get feedPercent(): number {
    return readEnvironment().FEED_PERCENT;
  },
  /** Whether users get the application's own order, while the service's order is only logged. */
  get feedShadow(): boolean {
    return readEnvironment().FEED_SHADOW === "true";
  },
  /** The secrets of sessions: the first one signs, all verify. */
  get sessionSecrets(): [string, ...string[]] {
    return readEnvironment().SESSION_SECRET ?? [DEVELOPMENT_SECRET];
  },
  /** The number of events that a session can send in a minute. */
  get eventsPerMinute(): number {
    return readEnvironment().EVENTS_PER_MINUTE;
  },
  /** Whether a visitor can act as any user of the demo data. In production it is off unless it is asked for. */
  get demoUsers(): boolean {
    return (readEnvironment().DEMO_USERS ?? this.defaultSwitch) === "on";
  },
  /** Whether `/operator` is available. In production it is off unless it is asked for. */
  get operatorPage(): boolean {
    return (readEnvironment().OPERATOR_PAGE ?? this.defaultSwitch) === "on";
  },
  /** The key of the operator page; undefined if it needs none. */
  get operatorKey(): string | undefined {
    return readEnvironment().OPERATOR_KEY;
  },
  /** The key of `/api/metrics`. Without one, it is closed in production and open in development. */
  get metricsKey(): string | undefined {
    return readEnvironment().METRICS_KEY;
  },
  /** Where the operator console reads figures over time; undefined without a Prometheus. */
  get prometheusUrl(): string | undefined {
    return readEnvironment().PROMETHEUS_URL;
  },
  get defaultSwitch(): "on" | "off" {
    return this.isProduction ? "off" : "on";
  },
  /** The folder that holds `registry.json`. */
  get modelsDir(): string {
    const folder = readEnvironment().MODELS_DIR;
    return path.resolve(/* turbopackIgnore: true */ folder ?? path.join(checkoutRoot(), "models"));
  },
};

/** The folder above `web/`. The server is started in `web/` or in the folder above it. */
function checkoutRoot(): string {
  const folder = process.cwd();
  return path.basename(folder) === "web" ? path.dirname(folder) : folder;
}

function embeddedDatabaseUrl(): string | null {
  const file = path.join(checkoutRoot(), ".local", "postgres", "url");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}
