import { createHash, timingSafeEqual } from "node:crypto";

/** True for `Authorization: Bearer KEY`, and for the password KEY of `Authorization: Basic` with any name. */
export function hasKey(headers: Headers, key: string): boolean {
  const [scheme = "", credentials = ""] = (headers.get("authorization") ?? "").split(" ", 2);
  switch (scheme.toLowerCase()) {
    case "bearer":
      return isEqual(credentials, key);
    case "basic":
      return isEqual(
        Buffer.from(credentials, "base64")
          .toString()
          .replace(/^[^:]*:/, ""),
        key,
      );
    default:
      return false;
  }
}

/** Compares two texts in a time that does not depend on where they differ. */
function isEqual(first: string, second: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(first), digest(second));
}
