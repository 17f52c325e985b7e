import { headers } from "next/headers";
import { cache } from "react";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { currentUser } from "@/lib/platform/session";
import { findUserName } from "@/lib/repositories/user.repository";

export interface Viewer {
  id: string;
  name: string;
  /** Whether the page has a switch to another user. */
  switchable: boolean;
}

/** The user of the session; null without one. Layout and page of a request read it once. */
export const sessionUser = cache(async () => {
  await headers(); // makes Next.js render the page for each request
  return currentUser();
});

/** The user for whom the page is rendered. The proxy has started their session. */
export const currentViewer = cache(async (): Promise<Viewer> => {
  const user = await sessionUser();
  if (user === null) throw new Error("the request has no session; the matcher of proxy.ts must include the page");
  const { id } = user;
  let name: string | null = null;
  try {
    name = await findUserName(id);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
  return { id, name: name ?? (isUuid(id) ? "New visitor" : id), switchable: config.demoUsers };
});
