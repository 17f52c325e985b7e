import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { FeedMode } from "@feed/client";

/** A place in the order of time, newest first: what follows is older, or as old with a smaller `seq`. */
export interface TimePosition {
  /** Microseconds since the Unix epoch. */
  createdUs: number;
  seq: number;
}

/** The position of a scroll: what it has shown, and where the service continues. Posts are named by their `seq`. */
export interface FeedPosition {
  /** The list that is shown. It stays the same for the whole scroll. */
  mode: FeedMode;
  /** The service's own cursor; null before the first page, and when the service has to start a new list. */
  serviceCursor: string | null;
  /**
   * The posts that this scroll has shown, from the service or from the fallback. With `after`, only those shown before
   * the scroll went on in order of time.
   */
  shownSeqs: ReadonlySet<number>;
  /** The shown posts that the service's cursor does not cover. Requests exclude them by id. */
  excludeSeqs: ReadonlySet<number>;
  /** True after the end of the unseen posts, when the scroll continues with posts the user has already seen. */
  includeSeen: boolean;
  /** All further posts are after this position; null while the scroll may show any post that it has not shown. */
  after: TimePosition | null;
}

export function firstPosition(mode: FeedMode): FeedPosition {
  return { mode, serviceCursor: null, shownSeqs: new Set(), excludeSeqs: new Set(), includeSeen: false, after: null };
}

/** Whether a post may follow: it was not shown, and it is after the position in the order of time, if there is one. */
export function mayFollow({ shownSeqs, after }: FeedPosition, post: TimePosition): boolean {
  if (shownSeqs.has(post.seq)) return false;
  if (after === null || post.createdUs < after.createdUs) return true;
  return post.createdUs === after.createdUs && post.seq < after.seq;
}

/** The position after these posts were shown. In the order of time, the last of them replaces their numbers. */
export function afterShowing(position: FeedPosition, posts: readonly TimePosition[]): FeedPosition {
  if (position.after === null) return { ...position, shownSeqs: addSeqs(position.shownSeqs, posts) };
  const last = posts.at(-1);
  return last ? { ...position, after: { createdUs: last.createdUs, seq: last.seq } } : position;
}

/** Whether the cursor has no room for more posts, so that the scroll has to go on in order of time. */
export function hasFullSets({ shownSeqs, excludeSeqs }: FeedPosition): boolean {
  return encodeNumbers(shownSeqs).length + encodeNumbers(excludeSeqs).length > MAX_SET_CHARACTERS;
}

export function addSeqs(seqs: ReadonlySet<number>, posts: readonly { seq: number }[]): ReadonlySet<number> {
  return new Set([...seqs, ...posts.map((post) => post.seq)]);
}

/** The cursor is damaged, or belongs to another user or list. */
export class InvalidFeedCursor extends Error {
  override readonly name = "InvalidFeedCursor";
}

const VERSION = "1";
const VERSION_WITH_TIME = "2";
/** With it and the cursor of the service (less than 1,800 characters), a cursor has at most 4 KiB. */
const MAX_SET_CHARACTERS = 2000;
const MODES: readonly FeedMode[] = ["ranked", "following", "newest"];
/** More than any scroll needs; limits the memory that a forged cursor can use. */
const MAX_DECODED_BYTES = 1 << 20;

/** Encodes a position as opaque text of at most 4 KiB, about two bytes for each shown post. It holds nothing secret. */
export function encodeFeedCursor(userId: string, position: FeedPosition): string {
  const { after } = position;
  const header = [
    after === null ? VERSION : VERSION_WITH_TIME,
    MODES.indexOf(position.mode),
    position.includeSeen ? "r" : "n",
    userFingerprint(userId),
  ].join("");
  const seqs = [position.shownSeqs, position.excludeSeqs].map(encodeNumbers);
  const time = after === null ? [] : [encodeTimePosition(after)];
  return [header, ...seqs, ...time, position.serviceCursor ?? ""].join("~");
}

/**
 * Decodes a cursor of this user and mode (null: any mode); throws InvalidFeedCursor for any other text. A scroll of
 * newest posts also continues when the ranked list is requested: a roll-out may reach its user in the middle of a scroll.
 */
export function decodeFeedCursor(userId: string, requestedMode: FeedMode | null, cursor: string): FeedPosition {
  const [header = "", shown = "", excluded = "", ...rest] = cursor.split("~");
  const mode = MODES[Number(header[1])];
  const isKnownVersion = header[0] === VERSION || header[0] === VERSION_WITH_TIME;
  if (!isKnownVersion || mode === undefined || header.slice(3) !== userFingerprint(userId)) {
    throw new InvalidFeedCursor("cursor: belongs to another user's list; request the first page without a cursor");
  }
  if (requestedMode !== null && mode !== requestedMode && !(mode === "newest" && requestedMode === "ranked")) {
    throw new InvalidFeedCursor(`cursor: belongs to mode ${mode}; request the first page without a cursor`);
  }
  const after = header[0] === VERSION_WITH_TIME ? decodeTimePosition(rest.shift() ?? "") : null;
  return {
    mode,
    serviceCursor: rest.join("~") || null,
    shownSeqs: decodeNumbers(shown),
    excludeSeqs: decodeNumbers(excluded),
    includeSeen: header[2] === "r",
    after,
  };
}

export function encodeTimePosition({ createdUs, seq }: TimePosition): string {
  return `${createdUs.toString(36)}.${seq.toString(36)}`;
}

/** Throws InvalidFeedCursor for text that `encodeTimePosition` does not return. */
export function decodeTimePosition(text: string): TimePosition {
  const [createdUs = NaN, seq = NaN] = text.split(".").map((number) => Number.parseInt(number, 36));
  const position = { createdUs, seq };
  const isExact = Number.isSafeInteger(createdUs) && Number.isSafeInteger(seq) && encodeTimePosition(position) === text;
  if (!isExact) throw damagedCursor();
  return position;
}

/** Ten characters that bind the cursor to its user. */
function userFingerprint(userId: string): string {
  return createHash("sha256").update(`feed cursor\n${userId}`).digest("base64url").slice(0, 10);
}

/** Encodes the differences of the sorted numbers as LEB128 varints, compressed with raw DEFLATE. */
function encodeNumbers(numbers: ReadonlySet<number>): string {
  if (numbers.size === 0) return "";
  const bytes: number[] = [];
  let previous = 0;
  for (const number of [...numbers].sort((a, b) => a - b)) {
    let rest = number - previous;
    previous = number;
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    bytes.push(rest);
  }
  return deflateRawSync(Uint8Array.from(bytes)).toString("base64url");
}

function decodeNumbers(text: string): Set<number> {
  const numbers = new Set<number>();
  if (text === "") return numbers;
  let bytes: Buffer;
  try {
    bytes = inflateRawSync(Buffer.from(text, "base64url"), { maxOutputLength: MAX_DECODED_BYTES });
  } catch {
    throw damagedCursor();
  }
  let number = 0;
  let difference = 0;
  let scale = 1;
  for (const byte of bytes) {
    difference += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte & 0x80) continue;
    number += difference;
    if (!Number.isSafeInteger(number)) throw damagedCursor();
    numbers.add(number);
    difference = 0;
    scale = 1;
  }
  return numbers;
}

function damagedCursor(): InvalidFeedCursor {
  return new InvalidFeedCursor("cursor: damaged; request the first page without a cursor");
}
