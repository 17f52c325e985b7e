import { config } from "./config";

export const YEAR_SECONDS = 365 * 24 * 3600;

/** A cookie that only our own server reads, for a year. */
export function ownCookie(name: string, value: string) {
  return {
    name,
    value,
    httpOnly: true,
    secure: config.isProduction,
    sameSite: "lax",
    path: "/",
    maxAge: YEAR_SECONDS,
  } as const;
}
