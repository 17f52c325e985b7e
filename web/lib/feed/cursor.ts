import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { FeedMode } from "@feed/client";

/** The position of a scroll: what it has shown, and where the service continues. Posts are named by their `seq`. */
export interface FeedPosition {
  /** The list that is shown. It stays the same for the whole scroll. */
  mode: FeedMode;
  /** The service's own cursor; null before the first page, and when the service has to start a new list. */
  serviceCursor: string | null;
  /** Every post that this scroll has shown, from the service or from the fallback. */
  shownSeqs: ReadonlySet<number>;
  /** The shown posts that the service's cursor does not cover. Requests exclude them by id. */
  excludeSeqs: ReadonlySet<number>;
  /** True after the end of the unseen posts, when the scroll continues with posts the user has already seen. */
  includeSeen: boolean;
}

export function firstPosition(mode: FeedMode): FeedPosition {
  return { mode, serviceCursor: null, shownSeqs: new Set(), excludeSeqs: new Set(), includeSeen: false };
}

/** The cursor is damaged, or belongs to another user or list. */
export class InvalidFeedCursor extends Error {
  override readonly name = "InvalidFeedCursor";
}

const VERSION = "1";
const MODES: readonly FeedMode[] = ["ranked", "following", "newest"];
/** More than any scroll needs; limits the memory that a forged cursor can use. */
const MAX_DECODED_BYTES = 1 << 20;

/** Encodes a position as opaque text, about two bytes for each shown post. It holds nothing secret. */
export function encodeFeedCursor(userId: string, position: FeedPosition): string {
  const header = [
    VERSION,
    MODES.indexOf(position.mode),
    position.includeSeen ? "r" : "n",
    userFingerprint(userId),
  ].join("");
  const seqs = [position.shownSeqs, position.excludeSeqs].map(encodeNumbers);
  return [header, ...seqs, position.serviceCursor ?? ""].join("~");
}

/**
 * Decodes a cursor of this user and mode (null: any mode); throws InvalidFeedCursor for any other text. A scroll of
 * newest posts also continues when the ranked list is requested: a roll-out may reach its user in the middle of a scroll.
 */
export function decodeFeedCursor(userId: string, requestedMode: FeedMode | null, cursor: string): FeedPosition {
  const [header = "", shown = "", excluded = "", ...serviceCursor] = cursor.split("~");
  const mode = MODES[Number(header[1])];
  if (header[0] !== VERSION || mode === undefined || header.slice(3) !== userFingerprint(userId)) {
    throw new InvalidFeedCursor("cursor: belongs to another user's list; request the first page without a cursor");
  }
  if (requestedMode !== null && mode !== requestedMode && !(mode === "newest" && requestedMode === "ranked")) {
    throw new InvalidFeedCursor(`cursor: belongs to mode ${mode}; request the first page without a cursor`);
  }
  return {
    mode,
    serviceCursor: serviceCursor.join("~") || null,
    shownSeqs: decodeNumbers(shown),
    excludeSeqs: decodeNumbers(excluded),
    includeSeen: header[2] === "r",
  };
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
