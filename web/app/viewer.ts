import { headers } from "next/headers";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { currentUser } from "@/lib/platform/session";
import { findUserName } from "@/lib/repositories/user.repository";

/** The user for whom the page is rendered. The proxy has started their session. */
export async function currentViewer(): Promise<{ id: string; name: string; switchable: boolean }> {
  await headers(); // makes Next.js render the page for each request
  const user = await currentUser();
  if (user === null) throw new Error("the request has no session; the matcher of proxy.ts must include the page");
  const { id } = user;
  let name: string | null = null;
  try {
    name = await findUserName(id);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
  return { id, name: name ?? (isUuid(id) ? "New visitor" : id), switchable: config.demoUsers };
}
