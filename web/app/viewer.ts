import { cookies, headers } from "next/headers";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId, isUuid } from "@/lib/platform/ids";
import { findUserName } from "@/lib/repositories/user.repository";
import { USER_COOKIE } from "@/lib/platform/session";

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
