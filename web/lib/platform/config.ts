import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** The settings of the deployment. Each use reads them again, because `.local/postgres/url` and tests change them. */
export const config = {
  get mlServiceUrl(): string {
    return process.env["ML_SERVICE_URL"] || "http://ml-service:8000";
  },
  get mlServiceApiKey(): string | undefined {
    return process.env["ML_SERVICE_API_KEY"] || undefined;
  },
  /** `DATABASE_URL`, else the URL of the embedded PostgreSQL of the checkout; null if neither exists. */
  get databaseUrl(): string | null {
    return process.env["DATABASE_URL"] || embeddedDatabaseUrl();
  },
  /** `DB_SCHEMA`. Unset: PostgreSQL finds the views in `public`, or beside the tables of a team in `feed`. */
  get databaseSchemas(): string[] {
    const name = process.env["DB_SCHEMA"];
    return name ? [name] : ["public", "feed"];
  },
  /** The percentage of users, 0..100, who get the ranked feed. The others get the newest posts. */
  get feedPercent(): number {
    const text = process.env["FEED_PERCENT"];
    if (text === undefined || text === "") return 100;
    const percent = Number(text);
    if (!(percent >= 0 && percent <= 100)) {
      throw new Error(`FEED_PERCENT: ${JSON.stringify(text)} is invalid; set a number from 0 to 100`);
    }
    return percent;
  },
  /** Whether users get the application's own order, while the service's order is only logged. */
  get feedShadow(): boolean {
    const text = process.env["FEED_SHADOW"] || "false";
    if (text !== "true" && text !== "false") {
      throw new Error(`FEED_SHADOW: ${JSON.stringify(text)} is invalid; set true or false`);
    }
    return text === "true";
  },
  /** Whether a visitor can act as any user of the demo data. Switch it off in a product with its own sign-in. */
  get demoUsers(): boolean {
    return process.env["DEMO_USERS"] !== "off";
  },
  /** Whether `/operator` is available. */
  get operatorPage(): boolean {
    return process.env["OPERATOR_PAGE"] !== "off";
  },
  /** The folder that holds `registry.json`. */
  get modelsDir(): string {
    return path.resolve(/* turbopackIgnore: true */ process.env["MODELS_DIR"] || path.join(checkoutRoot(), "models"));
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
