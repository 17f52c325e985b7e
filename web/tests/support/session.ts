import { config } from "@/lib/platform/config";
import { SESSION_COOKIE, signSession, verifySession } from "@/lib/platform/session-cookie";

export const OPERATOR_KEY = "operator-of-the-tests";

/** Settings with which a built application accepts the cookies of `sessionCookie`, and has all pages of the demo. */
export const TEST_SETTINGS = {
  SESSION_SECRET: config.sessionSecrets[0],
  DEMO_USERS: "on",
  OPERATOR_PAGE: "on",
  OPERATOR_KEY,
};

/** The header `Cookie` of a session of a user. */
export async function sessionCookie(user: string): Promise<string> {
  return `${SESSION_COOKIE}=${(await signSession(user)).value}`;
}

/** The cookie of a session of a user, for a browser that visits `url`. */
export async function browserCookie(user: string, url: string) {
  return { name: SESSION_COOKIE, value: (await signSession(user)).value, url };
}

/** The user of the session in a browser's cookies; "" if there is none. */
export async function sessionUser(cookies: readonly { name: string; value: string }[]): Promise<string> {
  return (await verifySession(cookies.find(({ name }) => name === SESSION_COOKIE)?.value))?.userId ?? "";
}
