"""Reads the whole feed from the database into columns.

Events and follows arrive as packed records, thousands per row of the result: PostgreSQL concatenates the binary forms
of their fields, and numpy reads the bytes. No Python object is created per event.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    PostColumns,
    UserColumns,
)
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text
from app.infrastructure.database.schema import SchemaName

RECORDS_PER_PAGE = 100_000
ROWS_PER_FETCH = 20_000
EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL's binary timestamptz counts microseconds from this time, in microseconds since the Unix epoch."""

EVENT = np.dtype([("user", "V16"), ("post", "V16"), ("kind", ">i2"), ("time", ">i8"), ("seq", ">i8")])
FOLLOW = np.dtype([("follower", "V16"), ("followee", "V16"), ("since", ">i8")])

POST_READABLE = "seq IS NOT NULL AND created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'"
"""The condition on posts of an adopted table: a `seq`, and a time that a `datetime` can hold."""


def read_feed(connection: Connection, schema: SchemaName) -> FeedDataset:
    """All users, posts, follows and events that the connection's transaction sees; use a repeatable-read snapshot.

    Events and follows of users or posts that the views do not contain are skipped: adopted tables have no foreign
    keys to ours.
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
    """The rows of a statement in parts, through a server-side cursor, so that memory holds them once."""
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
        "(extract(epoch FROM created_at) * 1000000)::int8, coalesce(visible, true), seq, coalesce(content, ''), tags "
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
        created_us=np.array(created, np.int64),
        visible=np.array(visible, np.bool_),
        seq=np.array(seq, np.int64),
        text=text,
        tags=[clean_tags(one) for one in tags],
    )


def clean_tags(tags: list[str | None] | None) -> tuple[str, ...]:
    """The tags of a post without NULLs."""
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
    return FollowColumns(follower[known], followee[known], _unix_microseconds(since[known]))


def _events(connection: Connection, schema: SchemaName, users: UuidIndex, posts: UuidIndex) -> EventColumns:
    kinds = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(INTERACTION_TYPES))
    statement = f"""
        SELECT string_agg(record, ''::bytea), max(seq) FROM (
            SELECT uuid_send(user_id) || uuid_send(post_id)
                       || int2send((CASE interaction_type {kinds} END)::int2)
                       || timestamptz_send(occurred_at) || int8send(seq) AS record, seq
            FROM {schema["user_interaction"]} WHERE seq > %s ORDER BY seq LIMIT {RECORDS_PER_PAGE}
        ) AS packed"""
    page = np.empty(0, EVENT)
    pages: list[tuple[NDArray[Any], ...]] = []
    last = 0
    while True:
        user, post = users.rows(page["user"]), posts.rows(page["post"])
        known = (user >= 0) & (post >= 0)
        time_us = _unix_microseconds(page["time"][known].astype(np.int64))
        pages.append(
            (
                user[known],
                post[known],
                page["kind"][known].astype(np.uint8),
                time_us,
                page["seq"][known].astype(np.int64),
            )
        )
        packed, highest = connection.exec_driver_sql(statement, (last,)).one()
        if packed is None:
            break
        page, last = np.frombuffer(packed, EVENT), highest
    events = EventColumns(*map(np.concatenate, zip(*pages, strict=True)))
    return events[np.lexsort((events.seq, events.time_us))]


def _unix_microseconds(microseconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Binary timestamptz values as microseconds since the Unix epoch; -infinity and infinity give NO_TIME."""
    infinite = np.abs(microseconds.astype(np.float64)) >= np.iinfo(np.int64).max
    return np.where(infinite, NO_TIME, microseconds + EPOCH_2000_US)
