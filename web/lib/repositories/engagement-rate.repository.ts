import { sql } from "kysely";
import type { EngagementCell } from "@/lib/feed/engagement-rate";
import { startOf, type TimeRange } from "@/lib/feed/time-series";
import { type Database, DatabaseUnavailable, read } from "@/lib/platform/database";
import { type Answer, answered, unanswered } from "@/lib/services/answer";

/** Pages are read from this much of the table, and so many of them are used. They bound the time of the query. */
const MAX_SAMPLED_BYTES = 32 * 2 ** 20;
const MAX_PAGES = 4000;
const ALL_PERCENT = 100;

export interface EngagementSample {
  cells: EngagementCell[];
  pages: number;
}

/**
 * How often users click, like, comment on or share what ranked pages show them. Of a page, the posts that were on screen
 * count, or all where the client does not report that. An event belongs to the page of its `request_id`, for a day.
 *
 * A random sample of the blocks of the days in the range bounds the cost, whatever the size of the table; the events of
 * a page are found by the index of users.
 */
export async function readEngagement(range: TimeRange, nowMs: number): Promise<Answer<EngagementSample>> {
  const [from, to] = [new Date(startOf(range, nowMs)), new Date(nowMs)];
  try {
    return answered(await read((database) => sampleOf(database, range, from, to)));
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return unanswered("The database did not respond in time.");
    const code = (error as { code?: unknown }).code;
    if (code === "42501") {
      return unanswered("The role of this application may not read the pages: GRANT SELECT ON impression TO it.");
    }
    if (code === "42P01") return unanswered("The database has no table of pages: run the migrations of the service.");
    throw error;
  }
}

async function sampleOf(database: Database, range: TimeRange, from: Date, to: Date): Promise<EngagementSample> {
  const firstDay = `impression_${from.toISOString().slice(0, 10).replaceAll("-", "")}`;
  const size = await sql<{ bytes: number }>`
    SELECT coalesce(sum(pg_relation_size(i.inhrelid)), 0)::float8 AS bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('impression') AND c.relname >= ${firstDay}
  `.execute(database);
  const bytes = size.rows[0]?.bytes ?? 0;
  const percent = bytes > MAX_SAMPLED_BYTES ? (ALL_PERCENT * MAX_SAMPLED_BYTES) / bytes : ALL_PERCENT;
  const { rows } = await sql<EngagementCell & { pages: number }>`
    WITH page AS MATERIALIZED (
      SELECT user_id, time, request_id, posts, sources, seen
      FROM impression TABLESAMPLE SYSTEM (${percent}::real)
      WHERE time >= ${from}::timestamptz AND time < ${to}::timestamptz AND mode = 'ranked'
      ORDER BY hashtext(user_id::text || request_id) LIMIT ${MAX_PAGES}
    ), engaged AS MATERIALIZED (
      SELECT DISTINCT page.user_id, page.time, page.request_id, p.seq
      FROM page
      JOIN user_interaction e ON e.user_id = page.user_id AND e.request_id = page.request_id
        AND e.created_at >= page.time - interval '1 minute' AND e.created_at < page.time + interval '1 day'
        AND e.interaction_type <> 'view'
      JOIN feed_posts p ON p.id = e.post_id
    )
    SELECT least(floor(extract(epoch FROM page.time - ${from}::timestamptz) / ${range.stepSeconds}::int),
        ${range.steps}::int - 1)::int AS step,
      substr(page.sources, shown.place::int, 1) AS reason,
      (CASE WHEN shown.place <= 3 THEN shown.place WHEN shown.place <= 5 THEN 4 WHEN shown.place <= 10 THEN 6
        WHEN shown.place <= 20 THEN 11 ELSE 21 END)::int AS "firstPlace",
      count(*)::int AS shown, count(engaged.seq)::int AS engaged, (SELECT count(*)::int FROM page) AS pages
    FROM page
    CROSS JOIN LATERAL unnest(page.posts) WITH ORDINALITY AS shown(seq, place)
    LEFT JOIN engaged ON engaged.user_id = page.user_id AND engaged.time = page.time
      AND engaged.request_id = page.request_id AND engaged.seq = shown.seq
    WHERE page.seen IS NULL
      OR shown.place <= length(page.seen) AND get_bit(page.seen, shown.place::int - 1) = 1
    GROUP BY 1, 2, 3
  `.execute(database);
  return { cells: rows.map(({ pages: _pages, ...cell }) => cell), pages: rows[0]?.pages ?? 0 };
}
