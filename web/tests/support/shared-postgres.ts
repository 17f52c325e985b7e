/** One PostgreSQL for all files of a run; its database, with all migrations, is the template of theirs. */
import type { TestProject } from "vitest/node";
import { Postgres } from "./postgres";

declare module "vitest" {
  interface ProvidedContext {
    templateUrl: string;
  }
}

export default async function startPostgres({ provide }: TestProject): Promise<() => Promise<void>> {
  const postgres = await Postgres.start();
  provide("templateUrl", postgres.url);
  return () => postgres.end();
}
