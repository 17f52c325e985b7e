"""Checksums of the rows of the views and of the log, which the database computes.

A checksum is a sum of 32-bit hashes, so one statement gives the sum of a block of rows or of one row. The functions
`hash_record` need PostgreSQL 14.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.feed.dataset import KEY_DTYPE, uuid_keys
from app.domain.feed.row_checksums import (
    EVENTS_PER_BLOCK,
    N_BLOCKS,
    TRACKED_KINDS,
    BlockSums,
    Checksums,
    FeedChecksums,
)
from app.domain.repositories.feed_log import DifferentBlocks
from app.infrastructure.database.full_read import READABLE_POST, SETTINGS, read_packed
from app.infrastructure.database.schema import SchemaName

MAX_EVENT_BLOCKS = 50
"""Blocks of events that are read to find the different events; with more, a full read is as fast."""

# Rows (key, hash) of each kind. A user may have several; the checksum is their sum. The hash of a follow is
# `follow_checksums`, so that the sums of the state are computed from its follows.
_SOURCES: Final = {
    "users": """(
    SELECT id AS key,
        hash_record(ROW(external_id, created_at, discoverable, personalised, languages, show_sensitive)) AS hash
    FROM {feed_complete_users}()
    UNION ALL
    SELECT m.user_id, hash_record(ROW('audience'::text, m.audience_id::text))
    FROM {feed_memberships} m JOIN {feed_users} u ON u.id = m.user_id WHERE m.audience_id IS NOT NULL
) AS rows""",
    "follows": """(
    SELECT follower_id AS key, mod(mixed * mixed, 2147483647)::int AS hash
    FROM (
        SELECT DISTINCT follower_id, followee_id, mod(
            (get_byte(a, 13) * 65536 + get_byte(a, 14) * 256 + get_byte(a, 15)) * 16777619::bigint
            + get_byte(b, 13) * 65536 + get_byte(b, 14) * 256 + get_byte(b, 15), 2147483647
        ) AS mixed
        FROM {feed_follows} JOIN {feed_users} follower ON follower.id = follower_id
            JOIN {feed_users} followee ON followee.id = followee_id,
            LATERAL (SELECT uuid_send(follower_id) AS a, uuid_send(followee_id) AS b) AS bytes
        WHERE follower_id <> followee_id
    ) AS pairs
) AS rows""",
    "controls": """(
    SELECT c.user_id AS key, hash_record(
        ROW(c.action, c.target_user_id, c.target_post_id, c.tag, c.word, c.created_at, c.until)
    ) AS hash
    FROM {feed_controls} c JOIN {feed_users} u ON u.id = c.user_id
) AS rows""",
    "posts": """(
    SELECT id AS key, hash_record(
        ROW(external_id, author, content, tags, visible, created_at, seq, {settings})
    ) AS hash
    FROM {feed_complete_posts}() LEFT JOIN (SELECT id AS author FROM {feed_users}) AS u ON author = author_id
    WHERE {readable}
) AS rows""",
}
_EVENTS = """(
    SELECT seq AS key, user_id, post_id,
        coalesce(nullif(hash_record(ROW(user_id, post_id, interaction_type, occurred_at, created_at)), 0), 1) AS hash
    FROM {user_interaction} e
    WHERE EXISTS (SELECT FROM {feed_users} u WHERE u.id = e.user_id)
        AND EXISTS (SELECT FROM {feed_posts} p WHERE p.id = e.post_id AND {readable})
) AS rows"""
_UUID_BLOCK = "(mod(get_byte(uuid_send(key), 14), 16) * 256 + get_byte(uuid_send(key), 15))"
_EVENT_BLOCK = f"(key / {EVENTS_PER_BLOCK})"

_UUID_RECORD = np.dtype([("key", KEY_DTYPE), ("checksum", ">i8")])
_EVENT_RECORD = np.dtype([("key", ">i8"), ("checksum", ">i8"), ("user", KEY_DTYPE), ("post", KEY_DTYPE)])


def read_all_checksums(connection: Connection, schema: SchemaName) -> FeedChecksums:
    """Read the checksums of all rows."""
    by_uuid = {kind: _read_by_uuid(connection, _source(_SOURCES[kind], schema)) for kind in TRACKED_KINDS}
    return FeedChecksums(
        **by_uuid, events=_event_checksums(_read_events(connection, _source(_EVENTS, schema)))
    )


def read_checksums(
    connection: Connection, schema: SchemaName, *, events: Collection[int], **ids: Collection[UUID]
) -> FeedChecksums:
    """Read the checksums of the rows with the given keys; 0 for those that do not exist. `ids` are by kind."""
    by_uuid = {
        kind: Checksums(uuid_keys(keys), _read_given(connection, _source(_SOURCES[kind], schema), list(keys)))
        for kind, keys in ids.items()
    }
    numbers = list(events)
    of_events = _read_given(connection, _source(_EVENTS, schema), numbers)
    return FeedChecksums(**by_uuid, events=Checksums(np.array(numbers, np.int64), of_events))


def read_different_blocks(connection: Connection, schema: SchemaName, known: BlockSums) -> DifferentBlocks:
    """Compare the sums of all blocks with `known`, and read the rows of the blocks that differ."""
    blocks: dict[str, NDArray[np.int64]] = {}
    by_uuid: dict[str, Checksums] = {}
    for kind, source in _SOURCES.items():
        rows = _source(source, schema)
        blocks[kind] = np.flatnonzero(_read_uuid_sums(connection, rows) != known.by_uuid[kind])
        if len(blocks[kind]):
            condition = f"{_UUID_BLOCK} = ANY(ARRAY{blocks[kind].tolist()})"
            by_uuid[kind] = _read_by_uuid(connection, f"{rows} WHERE {condition}")
    rows = _source(_EVENTS, schema)
    sums = {int(block): int(total) for block, total in _read_sums(connection, _EVENT_BLOCK, rows)}
    event_blocks = [
        block
        for block in sorted(sums.keys() | known.events.keys())
        if sums.get(block, 0) != known.events.get(block, 0)
    ]
    complete = len(event_blocks) <= MAX_EVENT_BLOCKS
    ranges = (
        f"key BETWEEN {block * EVENTS_PER_BLOCK} AND {(block + 1) * EVENTS_PER_BLOCK - 1}"
        for block in event_blocks
    )
    condition = " OR ".join(ranges) if complete and event_blocks else "false"
    events = _read_events(connection, f"{rows} WHERE {condition}")
    return DifferentBlocks(
        blocks=blocks,
        event_blocks=event_blocks,
        checksums=FeedChecksums(**by_uuid, events=_event_checksums(events)),
        event_users=events["user"],
        event_posts=events["post"],
        complete=complete,
    )


def _source(rows: str, schema: SchemaName) -> str:
    names = ("users", "posts", "follows", "memberships", "controls", "complete_users", "complete_posts")
    views = {f"feed_{name}": schema[f"feed_{name}"] for name in names}
    return rows.format(
        readable=READABLE_POST,
        settings=", ".join(SETTINGS),
        user_interaction=schema["user_interaction"],
        **views,
    )


def _read_by_uuid(connection: Connection, rows: str) -> Checksums:
    summed = f"(SELECT key, sum(hash) AS checksum FROM {rows} GROUP BY key) AS summed"
    records = read_packed(connection, "uuid_send(key) || int8send(checksum)", summed, _UUID_RECORD)
    return Checksums(records["key"], records["checksum"].astype(np.int64))


def _read_events(connection: Connection, rows: str) -> NDArray[np.void]:
    record = "int8send(key) || int8send(hash) || uuid_send(user_id) || uuid_send(post_id)"
    return read_packed(connection, record, rows, _EVENT_RECORD)


def _event_checksums(records: NDArray[np.void]) -> Checksums:
    return Checksums(records["key"].astype(np.int64), records["checksum"].astype(np.int64))


def _read_uuid_sums(connection: Connection, rows: str) -> NDArray[np.int64]:
    sums = np.zeros(N_BLOCKS, np.int64)
    for block, total in _read_sums(connection, _UUID_BLOCK, rows):
        sums[block] = total
    return sums


def _read_sums(connection: Connection, block: str, rows: str) -> Iterable[tuple[int, int]]:
    query = (
        f"SELECT block, sum(hash) FROM (SELECT {block} AS block, hash FROM {rows}) AS of_block GROUP BY block"
    )
    return ((number, total) for number, total in connection.exec_driver_sql(query))


def _read_given(connection: Connection, rows: str, keys: list[Any]) -> NDArray[np.int64]:
    """(n_keys,) the checksum of each key, 0 for an absent one."""
    found: dict[Any, int] = {}
    if keys:
        query = f"SELECT key, sum(hash) FROM {rows} WHERE key = ANY(%s) GROUP BY key"
        found = {key: int(total) for key, total in connection.exec_driver_sql(query, (keys,))}
    return np.array([found.get(key, 0) for key in keys], np.int64)
