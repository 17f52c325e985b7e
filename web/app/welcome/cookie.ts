import { config } from "@/lib/platform/config";

/** Says that the user has closed the invitation to choose interests. */
export const WELCOME_COOKIE = "welcome";
const YEAR_SECONDS = 365 * 24 * 3600;

/** The cookie of a user who closes the invitation. */
export function closedWelcome() {
  return {
    name: WELCOME_COOKIE,
    value: "closed",
    httpOnly: true,
    secure: config.isProduction,
    sameSite: "lax",
    path: "/",
    maxAge: YEAR_SECONDS,
  } as const;
}
