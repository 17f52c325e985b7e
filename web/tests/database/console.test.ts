/** The queries of the operator console on a real PostgreSQL. */
import assert from "node:assert/strict";
import { beforeAll, describe, it } from "vitest";
import { ratesByPlace, ratesByReason } from "@/lib/feed/engagement-rate";
import { timeRange } from "@/lib/feed/time-series";
import { userUuid } from "@/lib/platform/ids";
import { isDatabaseAvailable } from "@/lib/repositories/availability.repository";
import { findPeople } from "@/lib/repositories/discover.repository";
import { readEngagement } from "@/lib/repositories/engagement-rate.repository";
import { findUsers } from "@/lib/repositories/user.repository";
import { useDatabase } from "@/tests/support/database";
import { query } from "@/tests/support/query";
import { loadSmallFeed } from "@/tests/support/small-feed";

const DAY_MS = 24 * 60 * 60 * 1000;

describe("the queries of the operator console", () => {
  const database = useDatabase();
  let postIds: string[];
  const nowMs = Date.now();
  const user = userUuid("user-7");

  beforeAll(async () => {
    ({ postIds } = await loadSmallFeed(database.url));
    for (const day of [0, 1, 2]) {
      await query("SELECT feed_impression_partition((now() - $1 * interval '1 day')::date)", [day]);
    }
    await page(0.5, "request-1", "fts", "110"); // half an hour ago; the third post was not on screen
    await page(0.5, "request-2", "tcf", null);
    await page(30, "request-1", "fff", null); // an id that the client used again, more than a day later
    await event("request-1", 0, "click", 0.4);
    await event("request-1", 0, "like", 0.4); // on the same place
    await event("request-1", 1, "view", 0.4); // only seen
    await event("request-2", 2, "share", 0.4);
    await event("request-9", 1, "like", 0.4); // of a page that is not stored
  });

  const page = (hoursAgo: number, requestId: string, sources: string, seen: string | null) =>
    query(
      `INSERT INTO impression (user_id, time, request_id, mode, posts, sources, seen)
       SELECT $1, now() - $2 * interval '1 hour', $3, 'ranked',
         (SELECT array_agg(seq::integer ORDER BY array_position($4::uuid[], id)) FROM posts WHERE id = ANY($4::uuid[])),
         $5, $6::varbit`,
      [user, hoursAgo, requestId, postIds.slice(0, 3), sources, seen],
    );
  const event = (requestId: string, place: number, type: string, hoursAgo: number) =>
    query(
      `INSERT INTO user_interaction (user_id, post_id, interaction_type, request_id, created_at, occurred_at)
       SELECT $1, $2, $3, $4, now() - $5 * interval '1 hour', now()`,
      [user, postIds[place], type, requestId, hoursAgo],
    );
  const rows = (found: { label: string; shown: number; engaged: number }[]) =>
    found.map(({ label, shown, engaged }) => `${label} ${engaged}/${shown}`);

  it("count places on screen by reason and place, and each place once", async () => {
    const range = timeRange("1h");
    const { value } = await readEngagement(range, nowMs + 60_000);

    assert.equal(value?.pages, 2);
    assert.deepEqual(rows(ratesByReason(value?.cells ?? [], range, nowMs)).sort(), [
      "collaborative filtering 0/1",
      "following 2/2",
      "trending 0/2",
    ]);
    assert.deepEqual(rows(ratesByPlace(value?.cells ?? [], range, nowMs)), [
      "place 1 1/2",
      "place 2 0/2",
      "place 3 1/1",
    ]);
  });

  it("find pages of earlier days, and no event of a later page with the same id", async () => {
    const range = timeRange("7d");
    const { value } = await readEngagement(range, nowMs + 60_000);

    assert.equal(value?.pages, 3);
    const oldSteps = value?.cells.filter(({ step }) => step < range.steps - 4) ?? [];
    assert.deepEqual([oldSteps.length, oldSteps.some(({ engaged }) => engaged > 0)], [3, false]);
  });

  it("find nothing in a period without pages", async () => {
    assert.deepEqual((await readEngagement(timeRange("1h"), nowMs - 90 * DAY_MS)).value, { cells: [], pages: 0 });
  });

  it("say that the role may not read the pages", async () => {
    await query("CREATE ROLE reader LOGIN PASSWORD 'reader'");
    const url = process.env["DATABASE_URL"] ?? "";
    const reader = new URL(url);
    reader.username = reader.password = "reader";
    process.env["DATABASE_URL"] = reader.href;
    try {
      const { problem } = await readEngagement(timeRange("1h"), nowMs);
      assert.match(problem ?? "", /GRANT SELECT ON impression/);
    } finally {
      process.env["DATABASE_URL"] = url;
    }
  });

  it("list users without a viewer, and people by their keys", async () => {
    assert.equal((await findUsers("", "", 12)).length, 12);
    assert.deepEqual(
      (await findPeople([user])).map(({ uuid, id }) => [uuid, id]),
      [[user, "user-7"]],
    );
    assert.equal(await isDatabaseAvailable(), true);
  });
});
