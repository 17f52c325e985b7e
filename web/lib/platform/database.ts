import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { logger } from "@/lib/logger";
import { config } from "./config";
import type { DB } from "./database-types";
import { connectionSettings } from "./dsn";

/** The database is not configured, not reachable, or did not respond within the time limit. */
export class DatabaseUnavailable extends Error {
  override readonly name: string = "DatabaseUnavailable";
}

/** A query took longer than the time limit. Another query may be fast enough. */
export class QueryTimeout extends DatabaseUnavailable {
  override readonly name = "QueryTimeout";
}

const CONNECT_TIMEOUT_MS = 400;
/** Enforced by the client too, because `statement_timeout` does not fire on a frozen server. */
const QUERY_TIMEOUT_MS = 1000;

/** Queries of the tables and views of the service. */
export type Database = Kysely<DB>;

interface OpenDatabase {
  url: string;
  database: Database;
}

// Next.js may bundle a copy of this module into each route; a global lets all of them share one pool.
const shared = globalThis as typeof globalThis & { feedDatabase?: OpenDatabase };

/**
 * Runs queries on the pool. Throws DatabaseUnavailable if there is no database, and QueryTimeout if it does not respond in
 * time. Errors of a query itself are thrown unchanged.
 */
export async function read<Result>(run: (database: Database) => Promise<Result>): Promise<Result> {
  const database = currentDatabase();
  try {
    return await run(database);
  } catch (error) {
    if (!isOutage(error)) throw error;
    if (isTimeout(error)) throw new QueryTimeout("the query took too long", { cause: error });
    throw new DatabaseUnavailable("the database did not respond", { cause: error });
  }
}

/** Closes the pool. The next query opens a new one. */
export async function closeDatabase(): Promise<void> {
  const open = shared.feedDatabase;
  shared.feedDatabase = undefined;
  await open?.database.destroy();
}

/** The open database; a new one if none is open or its URL has changed. */
function currentDatabase(): Database {
  const url = config.databaseUrl;
  if (!url) {
    throw new DatabaseUnavailable(
      "DATABASE_URL is unset and .local/postgres/url does not exist; set the variable or start the embedded PostgreSQL",
    );
  }
  // The embedded server may restart on another port.
  if (shared.feedDatabase?.url !== url) {
    void shared.feedDatabase?.database.destroy();
    const { url: connectionString, options } = connectionSettings(url);
    const pool = new pg.Pool({
      connectionString,
      max: 10,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idleTimeoutMillis: 30_000,
      options: `${options} -c search_path=${config.databaseSchemas.map(quoteIdentifier).join(",")} -c timezone=UTC -c statement_timeout=${QUERY_TIMEOUT_MS}`,
      application_name: "feed-web",
    });
    pool.on("error", (error) => logger.warn("database.connection_lost", { error }));
    shared.feedDatabase = { url, database: new Kysely({ dialect: new PostgresDialect({ pool }) }) };
  }
  return shared.feedDatabase.database;
}

function quoteIdentifier(identifier: string): string {
  // In the `options` string, spaces separate arguments and backslashes escape them.
  return `"${identifier.replaceAll('"', '""')}"`.replaceAll(/[\\ ]/g, "\\$&");
}

/** True if the server has cancelled the query, or the client has stopped waiting for it. */
function isTimeout(error: unknown): boolean {
  const { code, message } = error as Error & { code?: unknown };
  return code === "57014" || message === "Query read timeout";
}

/**
 * True for SQLSTATE classes 08 (connection), 28 (wrong user or password), 53 (resources) and 57 (shutdown, timeout), and
 * for socket errors.
 */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: unknown }).code;
  // pg throws plain errors without a code for timeouts and closed connections
  if (typeof code !== "string") return error.constructor === Error;
  return /^(08|28|53|57)/.test(code) || /^E[A-Z]+$/.test(code) || code === "3D000";
}
