import { createHmac } from "node:crypto";
import { logger } from "@/lib/logger";
import { config } from "./config";
import { YEAR_SECONDS } from "./cookie";
import { read } from "./database";

/** A session that ends in another process is refused after this time. */
const MAX_AGE_MS = 2000;
/** The clocks of processes differ by less than this, and a row is committed within this time. */
const OVERLAP_MS = 600_000;

interface EndedSessions {
  /** Until when sessions of a user have ended, in milliseconds, by the hash of the user's id. */
  ends: Map<string, number>;
  newestMs: number;
  readAtMs: number;
  reading: Promise<void>;
  hasFailed: boolean;
}

// Next.js may bundle a copy of this module into each route; a global lets all of them share the rows.
const shared = globalThis as typeof globalThis & { feedEndedSessions?: EndedSessions };

/**
 * Whether a session has ended before it expires: its user has deleted their data since it was signed. While the database
 * is away, the rows that were read before count.
 */
export async function hasEnded(userId: string, signedAtMs: number): Promise<boolean> {
  const { ends, reading } = refresh();
  await reading;
  return ends.size > 0 && hashesOf(userId).some((hash) => signedAtMs <= (ends.get(hash) ?? Number.NEGATIVE_INFINITY));
}

/** Ends all sessions of a user that were signed until now, in all browsers. Throws if the database does not store it. */
export async function endAllSessions(userId: string): Promise<void> {
  const endedAt = new Date();
  const [hash] = hashesOf(userId);
  const row = { user_hash: Buffer.from(hash, "hex"), ended_at: endedAt };
  const expired = new Date(endedAt.getTime() - YEAR_SECONDS * 1000);
  await read(async (database) => {
    await database
      .insertInto("ended_session")
      .values(row)
      .onConflict((conflict) => conflict.column("user_hash").doUpdateSet({ ended_at: endedAt }))
      .execute();
    await database.deleteFrom("ended_session").where("ended_at", "<", expired).execute();
  });
  state().ends.set(hash, endedAt.getTime());
}

/** The rows, and a promise that resolves when they are recent. Requests share one query every two seconds. */
function refresh(): EndedSessions {
  const ended = state();
  if (performance.now() - ended.readAtMs >= MAX_AGE_MS) {
    ended.readAtMs = performance.now();
    ended.reading = readRows(ended);
  }
  return ended;
}

function state(): EndedSessions {
  shared.feedEndedSessions ??= {
    ends: new Map(),
    newestMs: 0,
    readAtMs: Number.NEGATIVE_INFINITY,
    reading: Promise.resolve(),
    hasFailed: false,
  };
  return shared.feedEndedSessions;
}

async function readRows(ended: EndedSessions): Promise<void> {
  try {
    const since = new Date(ended.newestMs - OVERLAP_MS);
    const rows = await read((database) =>
      database.selectFrom("ended_session").select(["user_hash", "ended_at"]).where("ended_at", ">", since).execute(),
    );
    for (const { user_hash, ended_at } of rows) {
      ended.ends.set(user_hash.toString("hex"), ended_at.getTime());
      ended.newestMs = Math.max(ended.newestMs, ended_at.getTime());
    }
    ended.hasFailed = false;
  } catch (error) {
    if (!ended.hasFailed) logger.warn("sessions.ends_unread", { error });
    ended.hasFailed = true;
  }
}

/** The hashes of a user's id with the secrets of sessions; the first is the one that is stored. */
function hashesOf(userId: string): [string, ...string[]] {
  const [first, ...others] = config.sessionSecrets;
  const hash = (secret: string) => createHmac("sha256", secret).update(`ended session ${userId}`).digest("hex");
  return [hash(first), ...others.map(hash)];
}
