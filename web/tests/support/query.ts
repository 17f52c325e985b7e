import { CompiledQuery } from "kysely";
import { read } from "@/lib/platform/database";

/** Runs one statement in SQL on the database of the application, and returns its rows. */
export async function query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await read((database) => database.executeQuery<Row>(CompiledQuery.raw(text, values)));
  return rows;
}
