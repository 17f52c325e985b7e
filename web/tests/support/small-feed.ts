import pg from "pg";
import { userUuid } from "@/lib/platform/ids";

export const USERS = 30;
export const POSTS = 320;

const OPENINGS = ["Morning notes on", "A small thing about", "Still thinking about", "Field report:", "Question about"];
const TOPICS = [
  "sourdough",
  "cycling to work",
  "type systems",
  "old maps",
  "tide tables",
  "garden sheds",
  "film cameras",
];
const ENDINGS = [
  "Does anybody else do it this way?",
  "It took three tries, and the third was worth it.",
  "Photos tomorrow, when the light is better.",
  "I was wrong about this for years.",
];

/** Inserts a fixed feed: the users `user-0` to `user-29`, their posts of two weeks, some events and follows. */
export async function loadSmallFeed(url: string): Promise<{ postIds: string[] }> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (let index = 0; index < USERS; index += 1) {
      await client.query("INSERT INTO users (id, external_id, username, follower_count) VALUES ($1, $2, $3, $4)", [
        userUuid(`user-${index}`),
        `user-${index}`,
        `${["Ada", "Ben", "Chi", "Dora", "Eli", "Fay"][index % 6]} ${["North", "Reed", "Vale", "Stone", "Marsh"][index % 5]}`,
        index * 3,
      ]);
    }
    const posts = await client.query<{ id: string }>(
      `INSERT INTO posts (external_id, author_id, content, tags, created_at)
       SELECT 'post-' || n, (SELECT id FROM users WHERE external_id = 'user-' || (n % $1)),
              ($2::text[])[1 + n % array_length($2, 1)] || ' ' || ($3::text[])[1 + n % array_length($3, 1)] || '. '
                || ($4::text[])[1 + (n / 3) % array_length($4, 1)],
              ARRAY[split_part(($3::text[])[1 + n % array_length($3, 1)], ' ', 1)],
              now() - n * interval '1 hour'
       FROM generate_series(1, $5) n RETURNING id`,
      [USERS, OPENINGS, TOPICS, ENDINGS, POSTS],
    );
    await client.query(
      `INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at, occurred_at)
       SELECT u.id, p.id, CASE WHEN (u.seq + p.seq) % 3 = 0 THEN 'like' ELSE 'view' END, p.created_at, p.created_at
       FROM users u JOIN posts p ON (u.seq * 7 + p.seq) % 29 = 0
       WHERE p.author_id <> u.id AND u.external_id <> 'user-0'`,
    );
    await client.query(
      `INSERT INTO follows (follower_id, followee_id)
       SELECT a.id, b.id FROM users a JOIN users b ON (a.seq + b.seq) % 5 = 0 AND a.id <> b.id`,
    );
    return { postIds: posts.rows.map((row) => row.id) };
  } finally {
    await client.end();
  }
}
