import { createHash } from "node:crypto";

const NAMESPACE_URL = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const UUID_DIGITS = "([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})";
const UUID_SPELLING = new RegExp(`^(?:${UUID_DIGITS}|\\{${UUID_DIGITS}\\}|urn:uuid:${UUID_DIGITS})$`, "i");
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const MAX_ID_LENGTH = 128;
/** Spaces, and code points that are neither separators nor control, format, private, surrogate or unassigned ones. */
const PRINTABLE = /^(?: |[^\p{C}\p{Z}])*$/u;
/** A zero-width non-joiner or joiner between two other characters. */
const JOINER = /(?<=[^\u200c\u200d])[\u200c\u200d](?=[^\u200c\u200d])/gu;

/** True for an id that the service accepts: 1..128 printable characters. */
export function isId(text: string): boolean {
  const length = [...text].length;
  return length > 0 && length <= MAX_ID_LENGTH && PRINTABLE.test(text.replace(JOINER, ""));
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** True for a `request_id` that the service accepts. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

/**
 * The form that all spellings of an id share: a UUID in lower case with hyphens; any other text in Unicode's form NFC,
 * without spaces at its ends.
 */
export function canonicalId(id: string): string {
  const trimmed = id.replace(/^ +| +$/g, "");
  const digits = UUID_SPELLING.exec(trimmed)?.slice(1).find(Boolean);
  return digits === undefined ? trimmed.normalize("NFC") : withHyphens(digits.replaceAll("-", "").toLowerCase());
}

/**
 * The primary key of a user whom no row has as `external_id`: the id itself if it is a UUID, else the version 5 UUID
 * that the service derives from it. `findUserUuid` finds the row of any id.
 */
export function userUuid(id: string): string {
  return derivedUuid("user", id);
}

/** As `userUuid`, for a post. */
export function postUuid(id: string): string {
  return derivedUuid("post", id);
}

function derivedUuid(kind: "user" | "post", id: string): string {
  const canonical = canonicalId(id);
  return isUuid(canonical) ? canonical : uuid5(`${kind}:${canonical}`);
}

/** A version 5 UUID (RFC 9562) in the URL namespace. */
function uuid5(name: string): string {
  const digest = createHash("sha1").update(NAMESPACE_URL).update(name, "utf8").digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return withHyphens(digest.toString("hex"));
}

function withHyphens(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
