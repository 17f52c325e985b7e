import { ownCookie } from "@/lib/platform/cookie";

/** Says that the user has closed the invitation to choose interests. */
export const WELCOME_COOKIE = "welcome";

/** The cookie of a user who closes the invitation. */
export function closedWelcome() {
  return ownCookie(WELCOME_COOKIE, "closed");
}
