import { cookies, headers } from "next/headers";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId, isUuid } from "@/lib/platform/ids";
import { USER_COOKIE } from "@/lib/platform/session";
import { findUserName } from "@/lib/repositories/user.repository";

/** The user for whom the page is rendered. The proxy has set the cookie with their id. */
export async function currentViewer(): Promise<{ id: string; name: string; switchable: boolean }> {
  await headers(); // makes Next.js render the page for each request
  const cookie = (await cookies()).get(USER_COOKIE)?.value;
  const id = cookie && isId(cookie) ? cookie : "visitor";
  let name: string | null = null;
  try {
    name = await findUserName(id);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
  return { id, name: name ?? (isUuid(id) ? "New visitor" : id), switchable: config.demoUsers };
}
