"""Loads the pages of a feed that users were shown, as a part of `load_feed`."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import orjson
from sqlalchemy import Connection

from app.domain.feed.dataset import FeedDataset, microseconds
from app.infrastructure.database.schema import SchemaName

_PAGES_PER_INSERT: Final = 2_000
# A page that is stored already has the same user, time and request. The reasons of its posts are unknown.
_STATEMENT: Final = """
WITH added AS (
    INSERT INTO {impression} (user_id, time, request_id, mode, posts, sources, seen)
    SELECT given.user_id, given.time, given.request_id, 'ranked', places.posts,
        repeat('-', cardinality(places.posts)), places.seen
    FROM json_to_recordset(%s)
        AS given (user_id uuid, time timestamptz, request_id text, posts uuid[], seen boolean[])
    CROSS JOIN LATERAL (
        SELECT array_agg(p.seq::integer ORDER BY place) AS posts,
            CASE WHEN bool_or(seen) THEN string_agg(seen::integer::text, '' ORDER BY place)::varbit END AS seen
        FROM unnest(given.posts, given.seen) WITH ORDINALITY AS page (post, seen, place)
        JOIN {posts} p ON p.id = page.post
        WHERE p.seq <= 2147483647
    ) AS places
    WHERE places.posts IS NOT NULL AND NOT EXISTS (
        SELECT FROM {impression} stored WHERE stored.user_id = given.user_id AND stored.time = given.time
        AND stored.request_id = given.request_id
    )
    RETURNING posts, seen
), counted AS (
    INSERT INTO {impression_count} AS counted (post, shown, seen)
    SELECT post, count(*), count(*) FILTER (WHERE get_bit(added.seen, place::integer - 1) = 1)
    FROM added CROSS JOIN LATERAL unnest(added.posts) WITH ORDINALITY AS page (post, place)
    GROUP BY post ORDER BY post
    ON CONFLICT (post) DO UPDATE SET shown = counted.shown + excluded.shown, seen = counted.seen + excluded.seen
)
SELECT count(*) FROM added
"""


def recent_pages(connection: Connection, feed: FeedDataset, keep_days: int) -> range:
    """Rows of the pages of the last `keep_days` days by the database's clock, without pages in the future."""
    now: datetime = connection.exec_driver_sql("SELECT now()").scalar_one()
    today = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
    bounds = [microseconds(today - timedelta(days=keep_days)), microseconds(now) + 1]
    return range(*np.searchsorted(feed.pages.time_us, bounds).tolist())


def create_partitions(connection: Connection, schema: SchemaName, feed: FeedDataset, pages: range) -> None:
    """Create the partitions of `pages`, rows of pages. Until the end of the transaction, nobody else reads any page."""
    days = np.unique(
        feed.pages.time_us[pages.start : pages.stop].view("datetime64[us]").astype("datetime64[D]")
    )
    for day in days.tolist():
        assert isinstance(day, date)
        connection.exec_driver_sql(f"SELECT {schema['feed_impression_partition']}(%s)", (day,))


def insert_pages(connection: Connection, schema: SchemaName, feed: FeedDataset, pages: range) -> int:
    """Add those of `pages`, rows of pages, that are new, and count their posts. Returns the number of new pages."""
    columns, users, posts = feed.pages, feed.users.key, feed.posts.key
    statement = _STATEMENT.format_map(schema)
    added = 0
    for start in range(pages.start, pages.stop, _PAGES_PER_INSERT):
        rows = [
            {
                "user_id": users[columns.user[page]].tobytes().hex(),
                "time": str(columns.time_us[page].view("datetime64[us]")),
                "request_id": "" if columns.request_id is None else columns.request_id[page],
                "posts": [key.tobytes().hex() for key in posts[columns.post[columns.places(page)]]],
                "seen": columns.seen[columns.places(page)].tolist(),
            }
            for page in range(start, min(start + _PAGES_PER_INSERT, pages.stop))
        ]
        added += connection.exec_driver_sql(statement, (orjson.dumps(rows).decode(),)).scalar_one()
    return added
