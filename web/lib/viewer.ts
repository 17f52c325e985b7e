import { cookies, headers } from "next/headers";
import { config } from "./config";
import { DatabaseUnavailable } from "./database";
import { isId, isUuid } from "./ids";
import { findUserName } from "./repositories/user.repository";
import { USER_COOKIE } from "./session";

/** The user of the page being rendered; the proxy has made sure that there is one. */
export async function currentViewer(): Promise<{ id: string; name: string; switchable: boolean }> {
  await headers(); // the page depends on the request
  const given = (await cookies()).get(USER_COOKIE)?.value;
  const id = given && isId(given) ? given : "visitor";
  let name: string | null = null;
  try {
    name = await findUserName(id);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
  return { id, name: name ?? (isUuid(id) ? "New visitor" : id), switchable: config.demoUsers };
}
