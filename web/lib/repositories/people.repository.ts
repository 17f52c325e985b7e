import { sql } from "kysely";
import type { PeoplePage, Person, Profile } from "@/lib/feed/profile";
import { type Database, read } from "@/lib/platform/database";
import {
  blockers,
  findCandidates,
  findUserUuid,
  hiddenUsers,
  IN_FORCE,
  MAX_CANDIDATES,
  publicUserId,
  userName,
} from "./user.repository";

/** Followers are counted up to this many, so that the cost does not grow with the table. */
const MAX_COUNTED = 10_000;

/** Whom one user follows, or who follows them. */
export type FollowList = "followers" | "following";

/** The head of a user's page; null if the user is unknown or blocks the viewer. */
export async function findProfile(viewerId: string, userId: string): Promise<Profile | null> {
  const [viewer, user] = await Promise.all([findUserUuid(viewerId), findUserUuid(userId)]);
  const row = await read((database) =>
    selectPeople(database, viewer)
      .select([
        "n.follower_count",
        countFollows(database, viewer, user, "followers").as("followers"),
        countFollows(database, viewer, user, "following").as("following"),
        isControlled(viewer, "mute_author").as("muted"),
        isControlled(viewer, "block_author").as("blocked"),
      ])
      .where("u.id", "=", user)
      .where("u.id", "not in", blockers(database, viewer).where("k.user_id", "is not", null))
      .executeTakeFirst(),
  );
  if (!row) return null;
  const { follower_count, followers, following, ...person } = row;
  return {
    ...person,
    followerCount: Math.max(Number(follower_count), Number(followers)),
    followingCount: Number(following),
    own: viewer === user,
  };
}

/** The id of a user with this name whom the viewer may find; null if there is none. */
export async function findIdByName(viewerId: string, name: string): Promise<string | null> {
  const viewer = await findUserUuid(viewerId);
  const row = await read((database) =>
    selectPeople(database, viewer)
      .where("u.id", "in", findCandidates(name))
      .where(userName("u", "n"), "=", name)
      .where("u.id", "not in", blockers(database, viewer).where("k.user_id", "is not", null))
      .orderBy("u.created_at")
      .limit(1)
      .executeTakeFirst(),
  );
  return row?.id ?? null;
}

/** The people whose name or id has words that begin with those of the search, those first whose name begins with it. */
export async function searchPeople(viewerId: string, search: string, limit: number): Promise<Person[]> {
  const viewer = await findUserUuid(viewerId);
  const beginning = `${search.trim().replaceAll(/[\\%_]/g, "\\$&")}%`;
  return read((database) =>
    selectPeople(database, viewer)
      .where(isNamedTo(database, viewer))
      .where("u.id", "in", findCandidates(search, MAX_CANDIDATES))
      .orderBy(sql`${userName("u", "n")} ILIKE ${beginning}`, "desc")
      .orderBy("u.created_at")
      .orderBy("u.id")
      .limit(limit)
      .execute(),
  );
}

/** A page of the people who follow a user or whom a user follows, in no particular order, after a cursor. */
export async function findFollows(
  viewerId: string,
  userId: string,
  list: FollowList,
  cursor: string | null,
  limit: number,
): Promise<PeoplePage> {
  const viewer = await findUserUuid(viewerId);
  const { user, other } = COLUMNS[list];
  const rows = await read((database) =>
    selectPeople(database, viewer)
      .innerJoin("feed_follows as f", `f.${other}`, "u.id")
      .select("u.id as uuid")
      .where(`f.${user}`, "=", sql<string>`feed_user_id(${userId})`)
      .where(isNamedTo(database, viewer))
      .$if(cursor !== null, (people) => people.where("u.id", ">", cursor))
      .orderBy("u.id")
      .limit(limit + 1)
      .execute(),
  );
  const people = rows.slice(0, limit).map(({ uuid: _uuid, ...person }) => person);
  return { people, nextCursor: rows.length > limit ? (rows[limit - 1]?.uuid ?? null) : null };
}

/** The columns of feed_follows with the user of a list and the people in it. */
const COLUMNS = {
  followers: { user: "followee_id", other: "follower_id" },
  following: { user: "follower_id", other: "followee_id" },
} as const;

/** Users `u` with their names. */
function selectPeople(database: Database, viewer: string) {
  return database
    .selectFrom("feed_users as u")
    .leftJoin("feed_user_names as n", "n.id", "u.id")
    .select([publicUserId("u").as("id"), userName("u", "n").as("name"), isFollowedBy(viewer).as("followed")]);
}

function isFollowedBy(viewer: string) {
  return sql<boolean>`EXISTS (SELECT FROM feed_follows v WHERE v.follower_id = ${viewer} AND v.followee_id = u.id)`;
}

function isControlled(viewer: string, action: "mute_author" | "block_author") {
  return sql<boolean>`EXISTS (
    SELECT FROM feed_controls k
    WHERE k.user_id = ${viewer} AND k.action = ${action} AND k.target_user_id = u.id AND ${IN_FORCE}
  )`;
}

/**
 * Whether a list may name the user `u` to the viewer: no mute, no block in either direction, and only followers find
 * authors who are not discoverable. Everybody finds themselves.
 */
function isNamedTo(database: Database, viewer: string) {
  return sql<boolean>`(u.id = ${viewer} OR (
    (u.id IN (${hiddenUsers(database, viewer)})) IS NOT TRUE
    AND (${isFollowedBy(viewer)} OR NOT EXISTS (
      SELECT FROM feed_complete_users() AS s WHERE s.id = u.id AND NOT s.discoverable
    ))
  ))`;
}

/** How many people a list of a user has for the viewer. */
function countFollows(database: Database, viewer: string, userUuid: string, list: FollowList) {
  const { user, other } = COLUMNS[list];
  return sql<string>`(SELECT count(*) FROM (
    SELECT FROM feed_follows f JOIN feed_users u ON u.id = f.${sql.ref(other)}
    WHERE f.${sql.ref(user)} = ${userUuid} AND ${isNamedTo(database, viewer)} LIMIT ${sql.lit(MAX_COUNTED)}
  ) AS counted)`;
}
