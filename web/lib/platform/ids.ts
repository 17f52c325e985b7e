import { createHash } from "node:crypto";

const NAMESPACE_URL = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** Control characters, lone surrogates and other things that no log line or table should hold. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]{1,128}$/u;

/** True for an id that the service takes: 1..128 printable characters. */
export function isId(given: string): boolean {
  return PRINTABLE.test(given);
}

export function isUuid(given: string): boolean {
  return UUID.test(given);
}

/** The user's key in the tables: the id itself when it is a UUID, else the UUID that its text stands for. */
export function userUuid(given: string): string {
  return isUuid(given) ? given.toLowerCase() : uuid5(`user:${given}`);
}

/** The post's key in the tables, likewise. */
export function postUuid(given: string): string {
  return isUuid(given) ? given.toLowerCase() : uuid5(`post:${given}`);
}

/** RFC 9562, version 5, in the URL namespace. */
function uuid5(name: string): string {
  const digest = createHash("sha1").update(NAMESPACE_URL).update(name, "utf8").digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
