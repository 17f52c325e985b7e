import type { NextRequest } from "next/server";
import { isId } from "./ids";

/**
 * Who is in front of the page. The demo keeps the user's id in a cookie; a product with a sign-in of its own replaces
 * this module and nothing else.
 */
export const USER_COOKIE = "feed_user";

/** The session's user id; null without a usable cookie. */
export function userOf(request: NextRequest): string | null {
  const given = request.cookies.get(USER_COOKIE)?.value;
  return given && isId(given) ? given : null;
}

/** A POST from one of our own pages: the cookie alone would also come with another site's form. */
export function isSameOrigin(request: NextRequest): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site) return site === "same-origin" || site === "none";
  const origin = request.headers.get("origin");
  return origin === null || (URL.canParse(origin) && new URL(origin).host === request.headers.get("host"));
}
