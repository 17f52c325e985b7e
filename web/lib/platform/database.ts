import pg from "pg";
import { config } from "./config";
import { logger } from "@/lib/logger";

/** The database did not answer within its budget; the feed says so and tries again. */
export class DatabaseUnavailable extends Error {
  override readonly name = "DatabaseUnavailable";
}

const CONNECT_MS = 400;
/** Also ends a query whose server froze: `statement_timeout` would not fire there. */
const QUERY_MS = 1000;

interface Opened {
  url: string;
  pool: pg.Pool;
}

// one pool for all routes: each may be bundled with a copy of this module
const shared = globalThis as typeof globalThis & { feedDatabase?: Opened };

/**
 * Runs one parameterised query on the pool. Raises DatabaseUnavailable when there is no database or it misses its
 * time; errors in the query itself come out as they are.
 */
export async function query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  const pool = openPool();
  try {
    return (await pool.query<Row>(text, values)).rows;
  } catch (error) {
    throw isOutage(error) ? new DatabaseUnavailable("the database did not answer", { cause: error }) : error;
  }
}

/** Closes the pool; the next query opens another. */
export async function closeDatabase(): Promise<void> {
  const opened = shared.feedDatabase;
  shared.feedDatabase = undefined;
  await opened?.pool.end();
}

function openPool(): pg.Pool {
  const url = config.databaseUrl;
  if (!url) throw new DatabaseUnavailable("no DATABASE_URL, and no embedded PostgreSQL in .local/postgres/url");
  // the embedded server may come back on another port
  if (shared.feedDatabase?.url !== url) {
    void shared.feedDatabase?.pool.end();
    const pool = new pg.Pool({
      connectionString: url,
      max: 10,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      idleTimeoutMillis: 30_000,
      options: `-c search_path=${quoted(config.databaseSchema)} -c timezone=UTC -c statement_timeout=${QUERY_MS}`,
      application_name: "feed-web",
    });
    pool.on("error", (error) => logger.warn("database.connection_lost", { error }));
    shared.feedDatabase = { url, pool };
  }
  return shared.feedDatabase.pool;
}

function quoted(identifier: string): string {
  // inside `options`, backslash and space separate words
  return `"${identifier.replaceAll('"', '""')}"`.replaceAll(/[\\ ]/g, "\\$&");
}

/** Class 08 connection, 53 resources, 57 operator intervention (shutdown, cancelled by timeout). */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: unknown }).code;
  if (typeof code !== "string") return true; // pg raises plain errors for timeouts and closed connections
  return /^(08|53|57)/.test(code) || /^E[A-Z]+$/.test(code) || code === "3D000";
}
