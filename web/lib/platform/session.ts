import type { NextRequest } from "next/server";
import { isId } from "./ids";

/**
 * The name of the cookie that holds the user's id. A product with its own sign-in replaces this module and nothing
 * else.
 */
export const USER_COOKIE = "feed_user";

/** The user id of the session; null if the cookie is missing or invalid. */
export function sessionUserId(request: NextRequest): string | null {
  const id = request.cookies.get(USER_COOKIE)?.value;
  return id && isId(id) ? id : null;
}

/** True for a request from one of our own pages. Browsers may send the cookie with forms of other sites as well. */
export function isSameOrigin(request: NextRequest): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site) return site === "same-origin" || site === "none";
  const origin = request.headers.get("origin");
  return origin === null || (URL.canParse(origin) && new URL(origin).host === request.headers.get("host"));
}
