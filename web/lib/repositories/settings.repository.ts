import { type RawBuilder, sql } from "kysely";
import { read } from "@/lib/platform/database";
import { findUserUuid, IN_FORCE, type NamedUser, publicUserId, userName } from "./user.repository";

/** What a user reads, and whether their events rank their feed. */
export interface Settings {
  /** Tags of BCP 47; none: all languages. */
  languages: string[];
  showSensitive: boolean;
  personalised: boolean;
}

/** A person whom a user mutes or blocks. */
export interface ControlledPerson extends NamedUser {
  action: "mute_author" | "block_author";
}

/** A word or a tag that a user mutes. */
export interface MutedTerm {
  action: "mute_word" | "mute_tag";
  term: string;
}

const DEFAULTS: Settings = { languages: [], showSensitive: false, personalised: true };
const MAX_LISTED = 500;

/** The settings of a user; those of a new user if there is no row. */
export async function findSettings(userId: string): Promise<Settings> {
  const viewer = await findUserUuid(userId);
  const settings = sql<{ id: string; languages: string[]; show_sensitive: boolean; personalised: boolean }>`
    feed_complete_users()`.as("u");
  const row = await read((database) =>
    database
      .selectFrom(settings)
      .select(["u.languages", "u.show_sensitive", "u.personalised"])
      .where("u.id", "=", viewer)
      .executeTakeFirst(),
  );
  return row
    ? { languages: row.languages, showSensitive: row.show_sensitive, personalised: row.personalised }
    : DEFAULTS;
}

/** The words and tags that a user mutes, the newest first. */
export async function findMutedTerms(userId: string): Promise<MutedTerm[]> {
  const viewer = await findUserUuid(userId);
  return read((database) =>
    database
      .selectFrom("feed_controls as k")
      .select(["k.action", sql<string>`COALESCE(k.word, k.tag)`.as("term")])
      .where("k.user_id", "=", viewer)
      .where("k.action", "in", ["mute_word", "mute_tag"])
      .where(IN_FORCE)
      .orderBy("k.seq", "desc")
      .limit(MAX_LISTED)
      .$castTo<MutedTerm>()
      .execute(),
  );
}

/** Whether a user mutes a tag. */
export async function isTagMuted(userId: string, tag: string): Promise<boolean> {
  const viewer = await findUserUuid(userId);
  const control = await read((database) =>
    database
      .selectFrom("feed_controls as k")
      .select("k.seq")
      .where("k.user_id", "=", viewer)
      .where("k.action", "=", "mute_tag")
      .where(plainTag(sql.ref("k.tag")), "=", plainTag(sql.val(tag)))
      .where(IN_FORCE)
      .executeTakeFirst(),
  );
  return control !== undefined;
}

/** The form that all spellings of a tag share, as in `feed_visible_posts`. */
function plainTag(tag: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`rtrim(ltrim(feed_folded(${tag}), ' #'))`;
}

/** The people whom a user mutes or blocks, the newest first. */
export async function findControlledPeople(userId: string): Promise<ControlledPerson[]> {
  const viewer = await findUserUuid(userId);
  return read((database) =>
    database
      .selectFrom("feed_controls as k")
      .innerJoin("feed_users as u", "u.id", "k.target_user_id")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select([
        "k.action",
        publicUserId("u").as("id"),
        sql<string>`COALESCE(${userName("u", "n")}, u.id::text)`.as("name"),
      ])
      .where("k.user_id", "=", viewer)
      .where("k.action", "in", ["mute_author", "block_author"])
      .where(IN_FORCE)
      .orderBy("k.seq", "desc")
      .limit(MAX_LISTED)
      .$castTo<ControlledPerson>()
      .execute(),
  );
}
