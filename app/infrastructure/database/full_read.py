"""The whole feed out of the database, columns straight into arrays.

Events and follows come as packed records, thousands to a row of the answer: PostgreSQL concatenates the binary forms
of their fields, and numpy reads the bytes as they are. No event passes through Python by itself.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset, FollowColumns, PostColumns, UserColumns
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text
from app.infrastructure.database.schema import SchemaName

RECORDS_PER_PAGE = 100_000
ROWS_PER_FETCH = 20_000
EPOCH_2000 = 946_684_800.0
"""PostgreSQL's binary timestamptz counts microseconds from here."""

EVENT = np.dtype([("user", "V16"), ("post", "V16"), ("kind", ">i2"), ("time", ">i8"), ("seq", ">i8")])
FOLLOW = np.dtype([("follower", "V16"), ("followee", "V16"), ("since", ">i8")])
UNDATED = np.iinfo(np.int64).min  # how PostgreSQL sends -infinity

POST_READABLE = "seq IS NOT NULL AND created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'"
"""What a post of an adopted table must fulfil to be read: a number, and a time that a datetime can hold."""


def read_feed(connection: Connection, schema: SchemaName) -> FeedDataset:
    """Users, posts, follows and events as the connection's transaction sees them (give it a snapshot).

    Events and follows of users or posts that the views do not show are left out: tables of others have no
    foreign keys to ours.
    """
    users = _users(connection, schema)
    user_rows = UuidIndex(users.key)
    posts = _posts(connection, schema, user_rows)
    return FeedDataset(
        users,
        posts,
        _follows(connection, schema, user_rows),
        _events(connection, schema, user_rows, UuidIndex(posts.key)),
    )


def _streamed(connection: Connection, statement: str) -> Iterator[list[tuple[Any, ...]]]:
    """The answer in parts, by a cursor of the server's, so that it never lies in memory twice."""
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor(name="whole_read") as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(ROWS_PER_FETCH):
            yield rows


def _users(connection: Connection, schema: SchemaName) -> UserColumns:
    ids: list[str] = []
    external_ids: list[str] = []
    for rows in _streamed(connection, f"SELECT id::text, external_id FROM {schema['feed_users']}"):
        ids += [row[0] for row in rows]
        external_ids += [row[1] or row[0] for row in rows]
    return UserColumns(uuid_keys_from_text(ids), external_ids)


def _posts(connection: Connection, schema: SchemaName, users: UuidIndex) -> PostColumns:
    ids: list[str] = []
    columns: list[list[Any]] = [[] for _ in range(7)]
    statement = (
        "SELECT id::text, coalesce(external_id, id::text), coalesce(author_id, id)::text, author_id IS NOT NULL, "
        "extract(epoch FROM created_at)::float8, coalesce(visible, true), seq, coalesce(content, ''), tags "
        f"FROM {schema['feed_posts']} WHERE {POST_READABLE}"
    )
    authors: list[str] = []
    for rows in _streamed(connection, statement):
        ids += [row[0] for row in rows]
        authors += [row[2] for row in rows]
        for column, place in zip(columns, (1, 3, 4, 5, 6, 7, 8), strict=True):
            column += [row[place] for row in rows]
    external_ids, has_author, created, visible, seq, text, tags = columns
    author = np.where(np.array(has_author, bool), users.rows(uuid_keys_from_text(authors)), np.int32(-1))
    return PostColumns(
        key=uuid_keys_from_text(ids),
        external_id=external_ids,
        author=author.astype(np.int32),
        created=np.array(created, np.float64),
        visible=np.array(visible, np.bool_),
        seq=np.array(seq, np.int64),
        text=text,
        tags=[clean_tags(one) for one in tags],
    )


def clean_tags(tags: list[str | None] | None) -> tuple[str, ...]:
    """A post's tags without NULLs."""
    return tuple(tag for tag in tags or () if tag is not None)


def _follows(connection: Connection, schema: SchemaName, users: UuidIndex) -> FollowColumns:
    statement = f"""
        SELECT string_agg(record, ''::bytea) FROM (
            SELECT uuid_send(follower_id) || uuid_send(followee_id)
                       || timestamptz_send(coalesce(created_at, '-infinity')) AS record,
                   (row_number() OVER () - 1) / {RECORDS_PER_PAGE} AS page
            FROM {schema["feed_follows"]} WHERE follower_id <> followee_id
        ) AS packed GROUP BY page"""
    parts = [row[0] for rows in _streamed(connection, statement) for row in rows]
    records = np.frombuffer(b"".join(parts), FOLLOW)
    follower, followee = users.rows(records["follower"]), users.rows(records["followee"])
    known = (follower >= 0) & (followee >= 0)
    since = records["since"].astype(np.int64)
    finite = np.abs(since.astype(np.float64)) < np.iinfo(np.int64).max
    return FollowColumns(
        follower[known], followee[known], np.where(finite, _seconds(since), np.nan)[known].astype(np.float64)
    )


def _events(connection: Connection, schema: SchemaName, users: UuidIndex, posts: UuidIndex) -> EventColumns:
    kinds = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(INTERACTION_TYPES))
    statement = f"""
        SELECT string_agg(record, ''::bytea), max(seq) FROM (
            SELECT uuid_send(user_id) || uuid_send(post_id)
                       || int2send((CASE interaction_type {kinds} END)::int2)
                       || timestamptz_send(occurred_at) || int8send(seq) AS record, seq
            FROM {schema["user_interaction"]} WHERE seq > %s ORDER BY seq LIMIT {RECORDS_PER_PAGE}
        ) AS packed"""
    pages: list[EventColumns] = []
    last = 0
    while True:
        packed, highest = connection.exec_driver_sql(statement, (last,)).one()
        if packed is None:
            break
        records, last = np.frombuffer(packed, EVENT), highest
        user, post = users.rows(records["user"]), posts.rows(records["post"])
        known = (user >= 0) & (post >= 0)
        pages.append(
            EventColumns(
                user[known],
                post[known],
                records["kind"][known].astype(np.uint8),
                _seconds(records["time"][known].astype(np.int64)),
                records["seq"][known].astype(np.int64),
            )
        )
    events = _joined(pages)
    return events[np.lexsort((events.seq, events.time))]


def _joined(pages: list[EventColumns]) -> EventColumns:
    return EventColumns(
        np.concatenate([np.empty(0, np.int32), *(page.user for page in pages)]),
        np.concatenate([np.empty(0, np.int32), *(page.post for page in pages)]),
        np.concatenate([np.empty(0, np.uint8), *(page.kind for page in pages)]),
        np.concatenate([np.empty(0, np.float64), *(page.time for page in pages)]),
        np.concatenate([np.empty(0, np.int64), *(page.seq for page in pages)]),
    )


def _seconds(microseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds since the Unix epoch; nearest float64 to the microsecond, as `datetime.timestamp` gives it."""
    return (microseconds + int(EPOCH_2000) * 1_000_000) / 1e6
