import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { FeedMode } from "@feed/client";

/** Where a scroll stands: what it has shown, and how the service goes on with it. */
export interface FeedPosition {
  /** The list that is served; it stays the same for the whole scroll. */
  mode: FeedMode;
  /** The service's own cursor; null before its first page, or when its list has to begin anew. */
  service: string | null;
  /** `seq` of every post that this scroll has shown, whoever chose it. */
  shown: ReadonlySet<number>;
  /** Of those, the ones that the service's cursor does not know of, because the fallback chose them. */
  unknownToService: ReadonlySet<number>;
  /** True when the scroll goes on with posts that the user has met before. */
  rewound: boolean;
}

export function startOf(mode: FeedMode): FeedPosition {
  return { mode, service: null, shown: new Set(), unknownToService: new Set(), rewound: false };
}

/** The text is not a cursor of this user's list. */
export class InvalidFeedCursor extends Error {
  override readonly name = "InvalidFeedCursor";
}

const VERSION = "1";
const MODES: readonly FeedMode[] = ["ranked", "following", "newest"];
/** More than any scroll reaches; keeps a forged cursor from unpacking into memory. */
const MAX_UNPACKED_BYTES = 1 << 20;

/** One opaque text for a position, about two bytes for each post shown. Nothing in it is secret. */
export function encodeFeedCursor(user: string, position: FeedPosition): string {
  const head = [VERSION, MODES.indexOf(position.mode), position.rewound ? "r" : "n", fingerprint(user)].join("");
  return [head, pack(position.shown), pack(position.unknownToService), position.service ?? ""].join("~");
}

/**
 * Raises InvalidFeedCursor for anything but a cursor of this user and mode. A list of newest posts goes on as such
 * where the ranked one is asked for: a roll-out may reach its user in the middle of a scroll.
 */
export function decodeFeedCursor(user: string, asked: FeedMode, cursor: string): FeedPosition {
  const [head = "", shown = "", unknown = "", ...service] = cursor.split("~");
  const mode = MODES[Number(head[1])];
  if (head[0] !== VERSION || mode === undefined || head.slice(3) !== fingerprint(user)) {
    throw new InvalidFeedCursor("the cursor belongs to another list");
  }
  if (mode !== asked && !(mode === "newest" && asked === "ranked")) {
    throw new InvalidFeedCursor(`the cursor belongs to the ${mode} list`);
  }
  return {
    mode,
    service: service.join("~") || null,
    shown: unpack(shown),
    unknownToService: unpack(unknown),
    rewound: head[2] === "r",
  };
}

function fingerprint(user: string): string {
  return createHash("sha256").update(`feed cursor\n${user}`).digest("base64url").slice(0, 10);
}

/** Differences of the sorted numbers as LEB128 varints, deflated where that is shorter. */
function pack(numbers: ReadonlySet<number>): string {
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

function unpack(text: string): Set<number> {
  const numbers = new Set<number>();
  if (text === "") return numbers;
  let bytes: Buffer;
  try {
    bytes = inflateRawSync(Buffer.from(text, "base64url"), { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    throw new InvalidFeedCursor("the cursor is damaged");
  }
  let previous = 0;
  let rest = 0;
  let scale = 1;
  for (const byte of bytes) {
    rest += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte & 0x80) continue;
    previous += rest;
    if (!Number.isSafeInteger(previous)) throw new InvalidFeedCursor("the cursor is damaged");
    numbers.add(previous);
    rest = 0;
    scale = 1;
  }
  return numbers;
}
