"""Counts the events that are older than the triggers of engagement (migration 0016), in short transactions.

Each portion locks the log of interactions against writers while it counts EVENTS_PER_PORTION events, some tenths of a
second. It begins where the last committed portion ended, so an interrupted backfill continues.
"""

from typing import Final

from sqlalchemy import Connection, text

from app.infrastructure.database.schema import SchemaName

EVENTS_PER_PORTION: Final = 10_000

# `rows` has post_id, user_id, interaction_type and n, 1 for an added event and -1 for a removed one. The order of the
# rows keeps two transactions from waiting for each other. A user counts as one who likes a post while the number of
# their likes is above 0; the difference of before and after is what the count of the post changes by. It is added to a
# row of the post that no other transaction has locked, or else to a new one. In REPEATABLE READ it is a new one,
# because locking a row that was changed meanwhile would end the transaction.
_ADD: Final = """
WITH changed AS (
    SELECT post_id, user_id,
        coalesce(sum(n) FILTER (WHERE interaction_type = 'like'), 0)::integer AS likes,
        coalesce(sum(n) FILTER (WHERE interaction_type = 'comment'), 0)::integer AS comments,
        coalesce(sum(n) FILTER (WHERE interaction_type = 'share'), 0)::integer AS shares
    FROM ({rows}) AS events GROUP BY post_id, user_id
), stored AS (
    INSERT INTO {feed_engagement} AS e (post_id, user_id, likes, comments, shares)
    SELECT * FROM changed WHERE likes <> 0 OR comments <> 0 OR shares <> 0 ORDER BY post_id, user_id
    ON CONFLICT (post_id, user_id) DO UPDATE SET
        likes = e.likes + excluded.likes, comments = e.comments + excluded.comments, shares = e.shares + excluded.shares
    RETURNING e.*
), counted AS MATERIALIZED (
    SELECT s.post_id,
        sum((s.likes > 0)::integer - (s.likes > c.likes)::integer) AS likes,
        sum(c.comments) AS comments,
        sum((s.shares > 0)::integer - (s.shares > c.shares)::integer) AS shares
    FROM stored s JOIN changed c USING (post_id, user_id) GROUP BY s.post_id
), unlocked AS MATERIALIZED (
    SELECT n.*, c.id FROM counted n CROSS JOIN LATERAL (
        SELECT id FROM {feed_engagement_count} c WHERE c.post_id = n.post_id
            AND current_setting('transaction_isolation') = 'read committed'
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS c WHERE n.likes <> 0 OR n.comments <> 0 OR n.shares <> 0
), updated AS (
    UPDATE {feed_engagement_count} c
    SET likes = c.likes + u.likes, comments = c.comments + u.comments, shares = c.shares + u.shares
    FROM unlocked u WHERE c.post_id = u.post_id AND c.id = u.id
)
INSERT INTO {feed_engagement_count} (post_id, likes, comments, shares)
SELECT * FROM counted
WHERE (likes <> 0 OR comments <> 0 OR shares <> 0) AND post_id NOT IN (SELECT post_id FROM unlocked);
"""
_OLD_EVENTS: Final = """
SELECT post_id, user_id, interaction_type, 1 AS n FROM {user_interaction}
WHERE seq > {begin} AND seq <= {end} AND interaction_type IN ('like', 'comment', 'share')"""
_END: Final = """
SELECT coalesce(max(seq), :last) FROM (
    SELECT seq FROM {user_interaction} WHERE seq > :begin AND seq <= :last ORDER BY seq LIMIT :portion
) AS portion"""


def add_engagement(schema: SchemaName, rows: str) -> str:
    """Return the statement that adds the events of the query `rows` to the engagement of users and posts."""
    names = {name: schema[name] for name in ("feed_engagement", "feed_engagement_count")}
    return _ADD.format(rows=rows, **names)


def count_old_events(connection: Connection, schema: SchemaName, *, lock_seconds: float) -> None:
    """Count the events of before the triggers that are not counted yet.

    `connection` has no transaction. A writer that holds the log for `lock_seconds` ends the backfill with PostgreSQL's
    error; committed portions remain.
    """
    names = {name: schema[name] for name in ("user_interaction", "feed_engagement_backfill")}
    if (
        connection.scalar(text("SELECT to_regclass(:name)"), {"name": names["feed_engagement_backfill"]})
        is None
    ):
        connection.rollback()
        return  # migrated to an older revision
    connection.rollback()
    position = text(f"SELECT counted_seq, last_seq FROM {names['feed_engagement_backfill']}")
    while True:
        with connection.begin():
            begin, last = connection.execute(position).one()
            if begin >= last:
                return
        with connection.begin():
            connection.execute(text(f"SET LOCAL lock_timeout = '{lock_seconds}s'"))
            connection.execute(text(f"LOCK TABLE {names['user_interaction']} IN SHARE ROW EXCLUSIVE MODE"))
            begin, last = connection.execute(position).one()
            bounds = {"begin": begin, "last": last, "portion": EVENTS_PER_PORTION}
            end = connection.scalar(text(_END.format(**names)), bounds)
            events = _OLD_EVENTS.format(begin=int(begin), end=int(end), **names)
            connection.execute(text(add_engagement(schema, events)))
            connection.execute(
                text(f"UPDATE {names['feed_engagement_backfill']} SET counted_seq = :end"), {"end": end}
            )
