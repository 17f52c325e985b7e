"""Checksums of the rows of the views and of the log, which the database computes.

A checksum is a sum of 32-bit hashes, so one statement gives the sum of all rows or of one row. The functions
`hash_record` need PostgreSQL 14.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.feed.dataset import KEY_DTYPE, uuid_keys
from app.domain.feed.row_checksums import (
    EVENTS_PER_BLOCK,
    UUID_KINDS,
    Checksums,
    ChecksumSums,
    ComparedPosts,
    FeedChecksums,
    UnchangedRows,
)
from app.domain.repositories.feed_log import StoredRows
from app.infrastructure.database.embeddings import EMBEDDING_HASH
from app.infrastructure.database.full_read import (
    AUDIENCE_HASH,
    AUTHOR_HASH,
    EVENT_HASH,
    INTEREST_HASH,
    MEMBERSHIPS,
    OWN_POSTS,
    OWN_USERS,
    POST_HASH,
    READABLE_POST,
    USER_HASH,
    chosen_posts,
    read_packed,
)
from app.infrastructure.database.schema import SchemaName

MAX_EVENT_BLOCKS = 50
"""Blocks of events that are read to find the different events; with more, a full read is as fast."""

# Rows (key, hash) of each kind; a key may have several. `shown` limits rows to users that the view shows. That
# of a follow is `follow_checksums`; without OFFSET 0, PostgreSQL would compute the bytes of a UUID for each use.
_SOURCES: Final = {
    "users": f"""(
    SELECT id AS key, {USER_HASH} AS hash FROM {{users}}
    UNION ALL SELECT user_id, {AUDIENCE_HASH} FROM {MEMBERSHIPS} WHERE true {{shown[user_id]}}
    UNION ALL SELECT user_id, {INTEREST_HASH} FROM {{user_interest}} WHERE true {{shown[user_id]}}
) AS rows""",
    "follows": """(
    SELECT follower_id AS key, mod(mixed * mixed, 2147483647) AS hash
    FROM (
        SELECT follower_id, mod(
            (get_byte(a, 13) * 65536 + get_byte(a, 14) * 256 + get_byte(a, 15)) * 16777619::bigint
            + get_byte(b, 13) * 65536 + get_byte(b, 14) * 256 + get_byte(b, 15), 2147483647
        ) AS mixed
        FROM (
            SELECT {distinct} follower_id, uuid_send(follower_id) AS a, uuid_send(followee_id) AS b FROM {feed_follows}
            WHERE follower_id <> followee_id {shown[follower_id]} {shown[followee_id]} OFFSET 0
        ) AS bytes
    ) AS pairs
) AS rows""",
    "controls": """(
    SELECT user_id AS key, hash_record(
        ROW(user_id, action, target_user_id, target_post_id, tag, word, created_at, until)
    ) AS hash
    FROM {feed_controls} WHERE true {shown[user_id]}
) AS rows""",
    "posts": f"""(
    SELECT id AS key, {POST_HASH} + {EMBEDDING_HASH} + coalesce({AUTHOR_HASH}, 0)::bigint AS hash FROM {{posts}}
    WHERE {READABLE_POST} {{compared}}
) AS rows""",
}
_SHOWN_POSTS: Final = """(
    SELECT p.*, e.embedding, u.id AS author FROM {feed_complete_posts}() p
    LEFT JOIN {feed_post_embeddings}() e ON e.id = p.id LEFT JOIN {feed_users} u ON u.id = author_id
) AS posts"""
_EVENTS: Final = (
    f"(SELECT seq AS key, user_id, post_id, {EVENT_HASH} AS hash FROM {{user_interaction}}) AS rows"
)
_SHOWN_EVENTS: Final = f"""(
    SELECT seq AS key, user_id, post_id, {EVENT_HASH} AS hash FROM {{user_interaction}} e
    WHERE EXISTS (SELECT FROM {{feed_users}} u WHERE u.id = e.user_id)
        AND EXISTS (SELECT FROM {{feed_posts}} p WHERE p.id = e.post_id AND {READABLE_POST})
) AS rows"""
_EVENT_BLOCK: Final = f"(key / {EVENTS_PER_BLOCK})"

_UUID_RECORD = np.dtype([("key", KEY_DTYPE), ("checksum", ">i8")])
_EVENT_RECORD = np.dtype([("key", ">i8"), ("checksum", ">i8"), ("user", KEY_DTYPE), ("post", KEY_DTYPE)])


def read_checksums(
    connection: Connection, schema: SchemaName, *, events: Collection[int], **ids: Collection[UUID]
) -> FeedChecksums:
    """Read the checksums of the rows with the given keys; 0 for those that do not exist. `ids` are by kind."""
    sources = _sources(schema, own_tables=False)
    by_kind = {
        kind: Checksums(uuid_keys(keys), _read_given(connection, sources[kind], list(keys)))
        for kind, keys in ids.items()
    }
    numbers = list(events)
    of_events = _read_given(connection, _SHOWN_EVENTS.format_map(schema), numbers)
    return FeedChecksums(**by_kind, events=Checksums(np.array(numbers, np.int64), of_events))


def read_control_checksums(connection: Connection, schema: SchemaName) -> Checksums:
    """Read the checksums of the controls of all users."""
    return _read_by_uuid(connection, _sources(schema, own_tables=False)["controls"])


def read_different_rows(
    connection: Connection,
    schema: SchemaName,
    known: ChecksumSums,
    unchanged: Callable[[], Mapping[str, UnchangedRows]],
    *,
    own_tables: bool,
) -> StoredRows:
    """Compare the sums of all rows with `known`, and read the rows of the kinds that differ, `unchanged` ones aside.

    The transaction has one snapshot: sums of changed rows are taken from sums that were read before the changes.
    `own_tables`: triggers capture every change of our own tables, so references are valid and need no joins. Missed
    changes may have made some invalid, so all kinds are read if users, posts, follows or controls differ.
    """
    sources = _sources(schema, own_tables=own_tables, posts=known.posts)
    unchanged_once = cache(unchanged)

    def differs(kind: str, rows: str, total: int) -> bool:
        stored = _read_sum(connection, rows)
        if stored == total:
            return False
        rest = unchanged_once()[kind]
        return stored - int(_read_given(connection, rows, rest.changed).sum()) != rest.total

    different = [kind for kind in UUID_KINDS if differs(kind, sources[kind], known.by_kind[kind])]
    if different and own_tables:
        sources, different = _sources(schema, own_tables=False, posts=known.posts), list(UUID_KINDS)
    by_kind = {kind: _read_by_uuid(connection, sources[kind]) for kind in different}
    blocks = _different_event_blocks(
        connection, schema, known, partial(differs, "interactions"), all_shown=not different
    )
    is_complete = len(blocks) <= MAX_EVENT_BLOCKS
    events = _read_events(connection, schema, blocks if is_complete else [])
    return StoredRows(
        by_kind=by_kind,
        event_blocks=blocks,
        events=Checksums(events["key"].astype(np.int64), events["checksum"].astype(np.int64)),
        event_users=events["user"],
        event_posts=events["post"],
        complete=is_complete,
    )


def _sources(
    schema: SchemaName, *, own_tables: bool, posts: ComparedPosts | None = None
) -> Mapping[str, str]:
    columns = ("user_id", "follower_id", "followee_id")
    is_shown = "AND {} IN (SELECT id FROM " + schema["feed_users"] + ")"
    names = {
        "users": (OWN_USERS if own_tables else "{feed_complete_users}()").format_map(schema),
        "posts": (OWN_POSTS if own_tables else _SHOWN_POSTS).format_map(schema),
        "compared": "" if posts is None else f"AND {chosen_posts(posts)}",
        "distinct": "" if own_tables else "DISTINCT",
        "shown": {column: "" if own_tables else is_shown.format(column) for column in columns},
        **{
            name: schema[name]
            for name in ("feed_memberships", "feed_follows", "feed_controls", "user_interest")
        },
    }
    return {kind: source.format_map(names) for kind, source in _SOURCES.items()}


def _read_sum(connection: Connection, rows: str) -> int:
    return int(connection.exec_driver_sql(f"SELECT coalesce(sum(hash), 0) FROM {rows}").scalar_one())


def _read_by_uuid(connection: Connection, rows: str) -> Checksums:
    summed = f"(SELECT key, sum(hash)::bigint AS checksum FROM {rows} GROUP BY key) AS summed"
    records = read_packed(connection, "uuid_send(key) || int8send(checksum)", summed, _UUID_RECORD)
    return Checksums(records["key"], records["checksum"].astype(np.int64))


def _different_event_blocks(
    connection: Connection,
    schema: SchemaName,
    known: ChecksumSums,
    differs: Callable[[str, int], bool],
    *,
    all_shown: bool,
) -> list[int]:
    """The blocks of events whose sums differ.

    If the log has exactly the events that the reader knows, and users and posts are equal (`all_shown`), no event needs
    a look at its user and post. The blocks are read only if the sum of all events `differs`.
    """
    condition = f"WHERE key <= {known.last_event}"
    if all_shown:
        every = f"{_EVENTS.format_map(schema)} {condition}"
        if not differs(f"(SELECT * FROM {every}) AS known", sum(known.event_blocks.values())):
            return []
        blocks = _event_blocks(connection, every, known)
        if len(blocks) <= MAX_EVENT_BLOCKS:
            return blocks
    return _event_blocks(connection, f"{_SHOWN_EVENTS.format_map(schema)} {condition}", known)


def _event_blocks(connection: Connection, rows: str, known: ChecksumSums) -> list[int]:
    query = f"SELECT {_EVENT_BLOCK} AS block, sum(hash) FROM {rows} GROUP BY block"
    sums = {int(block): int(total) for block, total in connection.exec_driver_sql(query)}
    blocks = sums.keys() | known.event_blocks.keys()
    return sorted(block for block in blocks if sums.get(block, 0) != known.event_blocks.get(block, 0))


def _read_events(connection: Connection, schema: SchemaName, blocks: list[int]) -> NDArray[np.void]:
    """The events in some blocks."""
    ranges = [
        f"key BETWEEN {block * EVENTS_PER_BLOCK} AND {(block + 1) * EVENTS_PER_BLOCK - 1}" for block in blocks
    ]
    source = f"{_SHOWN_EVENTS.format_map(schema)} WHERE {' OR '.join(ranges) or 'false'}"
    record = "int8send(key) || int8send(hash) || uuid_send(user_id) || uuid_send(post_id)"
    return read_packed(connection, record, source, _EVENT_RECORD)


def _read_given(connection: Connection, rows: str, keys: Sequence[Any]) -> NDArray[np.int64]:
    """(n_keys,) the checksum of each key, 0 for an absent one."""
    found: dict[Any, int] = {}
    if keys:
        query = f"SELECT key, sum(hash) FROM {rows} WHERE key = ANY(%s) GROUP BY key"
        found = {key: int(total) for key, total in connection.exec_driver_sql(query, (list(keys),))}
    return np.array([found.get(key, 0) for key in keys], np.int64)
