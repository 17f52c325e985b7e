import { createHash } from "node:crypto";

const NAMESPACE_URL = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** Excludes control characters, lone surrogates, unassigned code points and line separators. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]{1,128}$/u;

/** True for an id that the service accepts: 1..128 printable characters. */
export function isId(text: string): boolean {
  return PRINTABLE.test(text);
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** True for a `request_id` that the service accepts. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

/** The user's primary key: the id itself if it is a UUID, else the version 5 UUID that the service derives from it. */
export function userUuid(id: string): string {
  return isUuid(id) ? id.toLowerCase() : uuid5(`user:${id}`);
}

/** The post's primary key, derived in the same way. */
export function postUuid(id: string): string {
  return isUuid(id) ? id.toLowerCase() : uuid5(`post:${id}`);
}

/** A version 5 UUID (RFC 9562) in the URL namespace. */
function uuid5(name: string): string {
  const digest = createHash("sha1").update(NAMESPACE_URL).update(name, "utf8").digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
