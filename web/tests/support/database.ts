import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, inject } from "vitest";
import { closeDatabase } from "@/lib/platform/database";

/**
 * Gives the tests of the enclosing file or suite a database of their own, with all migrations and `DATABASE_URL` as its
 * address. It ends with the server, which is that of the run.
 */
export function useDatabase(): { url: string } {
  const database = { url: "" };
  beforeAll(async () => {
    const template = new URL(inject("templateUrl"));
    const name = `test_${randomUUID().replaceAll("-", "")}`;
    const client = new pg.Client(template.href);
    await client.connect();
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template.pathname.slice(1)} STRATEGY FILE_COPY`);
    await client.end();
    database.url = new URL(name, template).href;
    process.env["DATABASE_URL"] = database.url;
  });
  afterAll(async () => {
    await closeDatabase();
    delete process.env["DATABASE_URL"];
  });
  return database;
}
