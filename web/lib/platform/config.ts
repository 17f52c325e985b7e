import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** What the deployment decides. Read at each use, so that tests and `.local/postgres/url` may change it. */
export const config = {
  get mlServiceUrl(): string {
    return process.env["ML_SERVICE_URL"] || "http://ml-service:8000";
  },
  get mlServiceApiKey(): string | undefined {
    return process.env["ML_SERVICE_API_KEY"] || undefined;
  },
  /** `DATABASE_URL`, else the address of the checkout's embedded PostgreSQL; null when there is neither. */
  get databaseUrl(): string | null {
    const given = process.env["DATABASE_URL"] || embeddedDatabaseUrl();
    // SQLAlchemy's spelling of the same address
    return given ? given.replace(/^postgres(ql)?(\+\w+)?:\/\//, "postgresql://") : null;
  },
  get databaseSchema(): string {
    return process.env["DB_SCHEMA"] || "public";
  },
  /** The share of users, 0..100, that gets the ranked feed; the others get the newest posts. */
  get feedPercent(): number {
    const given = process.env["FEED_PERCENT"];
    if (given === undefined || given === "") return 100;
    const percent = Number(given);
    if (!(percent >= 0 && percent <= 100)) {
      throw new Error(`FEED_PERCENT must be a number from 0 to 100, got ${JSON.stringify(given)}`);
    }
    return percent;
  },
  /** Lets a visitor act as any user of the demo data. Off where people sign in. */
  get demoUsers(): boolean {
    return process.env["DEMO_USERS"] !== "off";
  },
  get operatorPage(): boolean {
    return process.env["OPERATOR_PAGE"] !== "off";
  },
  get modelsDir(): string {
    return path.resolve(/* turbopackIgnore: true */ process.env["MODELS_DIR"] || path.join(checkoutRoot(), "models"));
  },
};

/** The folder above `web/`, whether the server was started there, at the root, or from a standalone build. */
function checkoutRoot(): string {
  const here = process.cwd();
  return path.basename(here) === "web" ? path.dirname(here) : here;
}

function embeddedDatabaseUrl(): string | null {
  const file = path.join(checkoutRoot(), ".local", "postgres", "url");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}
