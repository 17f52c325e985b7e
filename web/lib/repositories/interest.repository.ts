import { sql } from "kysely";
import { read } from "@/lib/platform/database";
import { findUserUuid, type NamedUser, publicUserId, userName } from "./user.repository";

/** What a user declared to be interested in. */
export interface Interests {
  tags: string[];
  authors: NamedUser[];
}

export async function findInterests(userId: string): Promise<Interests> {
  const user = await findUserUuid(userId);
  const rows = await read((database) =>
    database
      .selectFrom("user_interest as i")
      .leftJoin("feed_users as u", "u.id", "i.author_id")
      .leftJoin("feed_user_names as n", "n.id", "u.id")
      .select([
        "i.tag",
        publicUserId("u").$castTo<string | null>().as("id"),
        sql<string | null>`COALESCE(${userName("u", "n")}, u.id::text)`.as("name"),
      ])
      .where("i.user_id", "=", user)
      .orderBy("i.tag")
      .orderBy("u.created_at")
      .execute(),
  );
  return {
    tags: rows.flatMap(({ tag }) => (tag === null ? [] : [tag])),
    authors: rows.flatMap(({ id, name }) => (id === null || name === null ? [] : [{ id, name }])),
  };
}

/** True for a user without events, follows and declared interests. */
export async function isNewUser(userId: string): Promise<boolean> {
  const user = await findUserUuid(userId);
  const row = await read((database) =>
    database
      .selectNoFrom(({ exists, or, selectFrom }) =>
        or([
          exists(selectFrom("user_interaction as i").select("i.id").where("i.user_id", "=", user)),
          exists(selectFrom("feed_follows as f").select("f.followee_id").where("f.follower_id", "=", user)),
          exists(selectFrom("user_interest as d").select("d.user_id").where("d.user_id", "=", user)),
        ]).as("known"),
      )
      .executeTakeFirst(),
  );
  return row?.known !== true;
}
