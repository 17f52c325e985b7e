import { postUuid, userUuid } from "@/lib/platform/ids";
import { query } from "./query";

export interface ControlledPost {
  id: string;
  author: string;
  word: string;
  tag: string;
  language: string | null;
  sensitive: boolean;
}

export const VIEWER = "vera";
const AUTHORS = ["ada", "ben", "chi"];
const WORDS = ["sourdough", "maps", "tides"];
const LANGUAGES = ["en", "de", null];

/** Posts with each combination of an author, a word, a language and a mark; the tag goes with the word. */
export const POSTS: readonly ControlledPost[] = AUTHORS.flatMap((author) =>
  WORDS.flatMap((word, number) =>
    LANGUAGES.flatMap((language) =>
      [false, true].map((sensitive) => ({
        id: postUuid(`${author}-${word}-${language}-${sensitive}`),
        author,
        word,
        tag: `tag${number}`,
        language,
        sensitive,
      })),
    ),
  ),
);

/** Stores the posts and their authors, all of whom the viewer follows. */
export async function storeControlledFeed(): Promise<void> {
  const users = [VIEWER, ...AUTHORS];
  await query("INSERT INTO users (id, external_id, username) SELECT * FROM unnest($1::uuid[], $2::text[], $2)", [
    users.map(userUuid),
    users,
  ]);
  await query("INSERT INTO follows (follower_id, followee_id) SELECT $1, * FROM unnest($2::uuid[])", [
    userUuid(VIEWER),
    AUTHORS.map(userUuid),
  ]);
  await query(
    `INSERT INTO posts (id, external_id, author_id, content, tags, language, sensitive, created_at)
     SELECT id, id, author_id, 'Some thoughts on ' || word || ' today', ARRAY[tag], language, sensitive,
            now() - row_number() OVER () * interval '1 minute'
     FROM json_to_recordset($1)
       AS p(id uuid, author_id uuid, word text, tag text, language text, sensitive boolean)`,
    [JSON.stringify(POSTS.map((post) => ({ ...post, author_id: userUuid(post.author) })))],
  );
}
