import { sql } from "kysely";
import { DatabaseUnavailable, read } from "@/lib/platform/database";

/** Whether the database responds. */
export async function isDatabaseAvailable(): Promise<boolean> {
  try {
    await read((database) => sql`SELECT 1`.execute(database));
    return true;
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return false;
    throw error;
  }
}
