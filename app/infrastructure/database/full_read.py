"""Reads the whole feed from the database into columns.

Events and follows arrive as packed records, thousands per row of the result: PostgreSQL concatenates the binary forms
of their fields, and numpy reads the bytes. No Python object is created per event.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    InterestColumns,
    KeyedEvents,
    MembershipColumns,
    PostColumns,
    UserColumns,
)
from app.domain.feed.embeddings import same_length
from app.domain.feed.row_checksums import Checksums, ComparedPosts, EventChecksums, FeedChecksums
from app.domain.feed.state import FeedState
from app.domain.feed.state_filling import add_users
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text
from app.infrastructure.database.embeddings import EMBEDDING_HASH, SENT_EMBEDDING, embedding_of
from app.infrastructure.database.event_files import EventFiles
from app.infrastructure.database.schema import SchemaName

log = structlog.get_logger()

Convert = Callable[[Sequence[Any]], NDArray[Any] | list[Any]]

RECORDS_PER_PAGE = 100_000
_PAGES_PER_REPORT: Final = 10
ROWS_PER_FETCH = 20_000
EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL's binary timestamptz counts microseconds from this time, in microseconds since the Unix epoch."""

EVENT_FIELDS: Final = [
    *(
        ("user", "V16"),
        ("post", "V16"),
        ("kind", ">i2"),
        ("time", ">i8"),
        ("received", ">i8"),
        ("seq", ">i8"),
    ),
]
EVENT = np.dtype([*EVENT_FIELDS, ("checksum", ">i4")])
_EVENT_WITHOUT_CHECKSUM: Final = np.dtype(EVENT_FIELDS)
FOLLOW = np.dtype([("follower", "V16"), ("followee", "V16"), ("since", ">i8")])

READABLE_TIME = "created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'"
READABLE_POST = f"seq IS NOT NULL AND {READABLE_TIME}"
"""SQL condition of the posts that are read: a `seq`, and a time that a `datetime` can hold."""


RECEIVED_AT = "least(created_at, now())"
"""SQL expression of the time at which an event was received, or a user signed up, but not after now."""
OCCURRED_AT = "least(occurred_at, created_at, now())"
"""SQL expression of the time at which an event counts: its own, but not after its receipt."""

SETTINGS = ("visibility", "audience_id", "language", "sensitive", "root_id", "repost_of")
"""Columns of `feed_complete_posts` that decide who may see a post, and what it belongs to."""

USER_HASH = (
    "hash_record(ROW(id, external_id, created_at, discoverable, personalised, languages, show_sensitive))"
)
"""SQL expression of the checksum of a user; the next ones belong to each audience, interest, post and author."""
AUDIENCE_HASH = "hash_record(ROW(user_id, audience_id))"
INTEREST_HASH = "hash_record(ROW(user_id, tag, author_id))"
POST_HASH = (
    f"hash_record(ROW(id, external_id, content, tags, visible, created_at, seq, {', '.join(SETTINGS)}))"
)
AUTHOR_HASH = "hashint8(uuid_hash_extended(author, seq))"
_USERS = "{feed_complete_users}()"
_POSTS = (
    "(SELECT p.*, author_id AS author, embedding FROM {feed_complete_posts}() p "
    "LEFT JOIN {feed_post_embeddings}() e ON e.id = p.id) AS posts"
)
OWN_USERS = "{users}"
OWN_POSTS = """(
    SELECT id, external_id, author_id, author_id AS author, coalesce(content, '') AS content,
        array_remove(tags, NULL) AS tags, visible, created_at, seq, visibility, audience_id, language, sensitive,
        root_id, repost_of, embedding
    FROM {posts}
) AS posts"""
"""What the functions `feed_complete_...` return for our own tables, without joins."""

MEMBERSHIPS = """(
    SELECT DISTINCT user_id, audience_id::text AS audience_id FROM {feed_memberships} WHERE audience_id IS NOT NULL
) AS memberships"""

EVENT_HASH = (
    "(hashint8(uuid_hash_extended(user_id, uuid_hash_extended(post_id, "
    "hashtextextended(interaction_type, hash_array_extended(ARRAY[occurred_at, created_at], seq))))) | 1)"
)
"""SQL expression of the checksum of an event. It is odd, so it differs from 0."""

_KINDS: Final = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(INTERACTION_TYPES))
EVENT_RECORD: Final = f"""uuid_send(user_id) || uuid_send(post_id)
    || int2send((CASE interaction_type {_KINDS} END)::int2)
    || timestamptz_send({OCCURRED_AT}) || timestamptz_send({RECEIVED_AT}) || int8send(seq)"""
"""SQL expression of the bytes of an event, without its checksum."""

USER_FIELDS: Final = {
    "id": "id::text",
    "external_id": "coalesce(external_id, id::text)",
    "created_at": (
        f"CASE WHEN {READABLE_TIME} THEN (extract(epoch FROM {RECEIVED_AT}) * 1000000)::int8 ELSE {NO_TIME} END"
    ),
    "discoverable": "discoverable",
    "personalised": "personalised",
    "show_sensitive": "show_sensitive",
    "languages": "languages",
}
"""Name -> SQL expression of what is read of a user; times are in microseconds since the Unix epoch."""
POST_FIELDS: Final = {
    "id": "id::text",
    "external_id": "coalesce(external_id, id::text)",
    "author_id": "author_id::text",
    "created_at": "(extract(epoch FROM created_at) * 1000000)::int8",
    "visible": "visible",
    "seq": "seq",
    "content": "content",
    "tags": "tags",
    **{name: name for name in SETTINGS},
}
"""The same of a post."""


_USER_FIELDS: Final = USER_FIELDS | {"checksum": USER_HASH}


@dataclass(frozen=True, slots=True, eq=False)
class FeedRows:
    """What a full read found, and the checksums of the rows. Those of controls and follows are absent."""

    dataset: FeedDataset
    checksums: FeedChecksums
    event_checksums: EventChecksums


def read_feed(
    connection: Connection,
    schema: SchemaName,
    users: UserColumns,
    user_rows: UuidIndex,
    of_users: NDArray[np.int64],
    chosen: ComparedPosts | None = None,
    *,
    own_tables: bool,
    embeddings: bool = True,
    event_files: EventFiles | None = None,
) -> FeedRows:
    """All posts, follows and events that the connection's transaction sees.

    users        of the dataset: all, or none if a state has them
    user_rows    the rows of all users, in order of which `of_users` are their checksums without those of audiences
    chosen       the posts that are read, with their events; None: all
    own_tables   the views show our own tables
    embeddings   whether those of posts are read
    event_files  get the events, which the columns then lack

    Use a repeatable-read snapshot. Events and follows of users or posts that the views do not contain are skipped:
    adopted tables have no foreign keys to ours.
    """
    every = post_source(schema, own_tables=own_tables)
    some = "" if chosen is None else f" AND {chosen_posts(chosen)}"
    posts, of_posts = _posts(connection, every + some, user_rows, embeddings=embeddings)
    follows = _follows(connection, schema, user_rows)
    of_other_posts = chosen is not None
    shown = schema["user_interaction"]
    if of_other_posts and not own_tables:
        shown = f"(SELECT * FROM {shown} WHERE post_id IN (SELECT id FROM {every})) AS shown"
    events, of_events = _events(connection, shown, user_rows, posts, of_other_posts, event_files)
    memberships, of_memberships = _memberships(connection, schema, user_rows)
    np.add.at(of_users, memberships.user, of_memberships)
    interests, of_interests = _interests(connection, schema, user_rows)
    np.add.at(of_users, interests.user, of_interests)
    checksums = FeedChecksums(
        users=Checksums(user_rows.by_row[: len(of_users)], of_users), posts=Checksums(posts.key, of_posts)
    )
    dataset = FeedDataset(users, posts, follows, events, memberships=memberships, interests=interests)
    return FeedRows(dataset, checksums, of_events)


def read_packed(
    connection: Connection, record: str, source: str, dtype: np.dtype[np.void], *values: object
) -> NDArray[np.void]:
    """Read all rows of `source` as (n,) records of `dtype`. PostgreSQL concatenates the bytes page by page.

    record  SQL expression for the bytes of one record
    source  a view, with or without a WHERE condition on `values`
    """
    pages = connection.exec_driver_sql(
        f"SELECT string_agg(record, ''::bytea) FROM (SELECT {record} AS record, (row_number() OVER () - 1) / "
        f"{RECORDS_PER_PAGE} AS page FROM {source}) AS packed GROUP BY page",
        values,
    )
    return np.frombuffer(b"".join(pages.scalars()), dtype)


def user_source(schema: SchemaName, *, own_tables: bool) -> str:
    """The rows of all users in SQL, with the columns of USER_FIELDS. `own_tables` is as in `read_feed`."""
    return (OWN_USERS if own_tables else _USERS).format_map(schema)


def post_source(schema: SchemaName, *, own_tables: bool) -> str:
    """The same of all posts that are read, with the columns of POST_FIELDS."""
    return f"{(OWN_POSTS if own_tables else _POSTS).format_map(schema)} WHERE {READABLE_POST}"


def chosen_posts(posts: ComparedPosts) -> str:
    """SQL condition of the posts that a state has from which others were evicted."""
    created, seq = posts.since
    if created == -math.inf:
        return "true"
    since = f"timestamptz 'epoch' + {round(created * 1e6)} * interval '1 microsecond'"
    older = ",".join(key.hex() for key in posts.older.tolist())
    return f"((created_at, seq) >= ({since}, {seq}) OR id = ANY('{{{older}}}'::uuid[]))"


def column_parts(
    connection: Connection, expressions: Sequence[str], source: str, rows: int = ROWS_PER_FETCH
) -> Iterator[list[tuple[Any, ...]]]:
    """The values of each SQL expression, for so many rows of `source` after the other.

    A server-side cursor returns the rows, so that memory holds one part of them.
    """
    result = connection.exec_driver_sql(
        f"SELECT {', '.join(expressions)} FROM {source}", execution_options={"stream_results": True}
    )
    for part in result.partitions(rows):
        yield list(zip(*part, strict=True))


def _columns(
    connection: Connection, fields: Mapping[str, str], converts: Mapping[str, Convert], source: str
) -> dict[str, Any]:
    """The column of each field for all rows of `source`: an array, or a list where no function makes an array.

    fields    name -> SQL expression
    converts  name -> function of the values of some rows

    Parts are converted as they arrive: the Python objects of all values take several times the memory.
    """
    columns: dict[str, list[Any]] = {name: [converts.get(name, list)(())] for name in fields}
    for part in _converted_parts(connection, fields, converts, source):
        for name, values in part.items():
            columns[name].append(values)
    return {name: _joined(columns.pop(name)) for name in fields}


def _converted_parts(
    connection: Connection, fields: Mapping[str, str], converts: Mapping[str, Convert], source: str
) -> Iterator[dict[str, Any]]:
    """As `_columns`, for some rows after the other."""
    for part in column_parts(connection, tuple(fields.values()), source):
        yield {name: converts.get(name, list)(values) for name, values in zip(fields, part, strict=True)}


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else list(chain.from_iterable(parts))


def _integers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _flags(values: Sequence[bool]) -> NDArray[np.bool_]:
    return np.array(values, np.bool_)


def _tuples(values: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return [tuple(one) for one in values]


def _compact_texts(values: Sequence[str]) -> NDArray[Any]:
    """The values in an array, which takes a fifth of the memory of short strings and half of that of UUIDs."""
    return np.array(values, np.dtypes.StringDType())


def _few_texts(values: Sequence[str | None]) -> list[str | None]:
    """The values, equal ones as one object."""
    objects = {one: one for one in values}
    return [objects[one] for one in values]


_CONVERTS: Final[dict[str, Convert]] = {
    "id": uuid_keys_from_text,
    **dict.fromkeys(("created_at", "seq", "checksum", "checksum_of_author"), _integers),
    **dict.fromkeys(("discoverable", "personalised", "show_sensitive", "visible", "sensitive"), _flags),
    **dict.fromkeys(("tags", "languages"), _tuples),
    **dict.fromkeys(("visibility", "language"), _few_texts),
}


def read_users(
    connection: Connection, schema: SchemaName, *, own_tables: bool
) -> tuple[UserColumns, NDArray[np.int64]]:
    """All users, and their checksums without those of their audiences. `own_tables` is as in `read_feed`."""
    source, converts = user_source(schema, own_tables=own_tables), _CONVERTS | {"external_id": _compact_texts}
    columns = _columns(connection, _USER_FIELDS, converts, source)
    return _users_of(columns), columns["checksum"]


def read_users_into(
    connection: Connection, schema: SchemaName, state: FeedState, *, own_tables: bool
) -> NDArray[np.int64]:
    """Give `state`, which has no users, all users, and return their checksums as `read_users` does.

    The oldest account gets the first row, in every replica. Memory holds the columns of one part of the users at a
    time.
    """
    source = f"{user_source(schema, own_tables=own_tables)} AS every ORDER BY every.created_at, every.id"
    checksums = [np.empty(0, np.int64)]
    for part in _converted_parts(connection, _USER_FIELDS, _CONVERTS, source):
        add_users(state, _users_of(part))
        checksums.append(part["checksum"])
    return np.concatenate(checksums)


def _users_of(columns: Mapping[str, Any]) -> UserColumns:
    return UserColumns(
        columns["id"],
        columns["external_id"],
        created_us=columns["created_at"],
        **{name: columns[name] for name in ("discoverable", "personalised", "show_sensitive", "languages")},
    )


def _memberships(
    connection: Connection, schema: SchemaName, users: UuidIndex
) -> tuple[MembershipColumns, NDArray[np.int64]]:
    """All memberships, and their checksums."""
    fields = {"id": "user_id::text", "audience_id": "audience_id", "checksum": AUDIENCE_HASH}
    columns = _columns(connection, fields, _CONVERTS, MEMBERSHIPS.format_map(schema))
    rows = users.rows(columns["id"])
    known = rows >= 0
    audiences = list(compress(columns["audience_id"], known.tolist()))
    return MembershipColumns(rows[known], audiences), columns["checksum"][known]


def _interests(
    connection: Connection, schema: SchemaName, users: UuidIndex
) -> tuple[InterestColumns, NDArray[np.int64]]:
    """All declared interests of known users, and their checksums."""
    fields = {"id": "user_id::text", "tag": "tag", "author_id": "author_id", "checksum": INTEREST_HASH}
    columns = _columns(connection, fields, _CONVERTS, schema["user_interest"])
    rows = users.rows(columns["id"])
    known = rows >= 0
    tags, authors = (list(compress(columns[name], known.tolist())) for name in ("tag", "author_id"))
    return InterestColumns(rows[known], tags, authors), columns["checksum"][known]


def _posts(
    connection: Connection, source: str, users: UuidIndex, *, embeddings: bool
) -> tuple[PostColumns, NDArray[np.int64]]:
    """All posts, and their checksums."""
    fields = POST_FIELDS | {
        "author_id": "coalesce(author_id, gen_random_uuid())::text",  # a random UUID is no user: row -1
        "checksum": f"{POST_HASH} + {EMBEDDING_HASH}",
        "checksum_of_author": f"coalesce({AUTHOR_HASH}, 0)",
    }
    converts: dict[str, Convert] = {
        **_CONVERTS,
        "author_id": lambda ids: users.rows(uuid_keys_from_text(ids)),
        "embedding": lambda sent: [embedding_of(one) for one in sent],
    }
    if embeddings:
        fields["embedding"] = SENT_EMBEDDING
    columns = _columns(connection, fields, converts, source)
    author = columns["author_id"]
    checksums = columns["checksum"] + np.where(author >= 0, columns["checksum_of_author"], 0)
    posts = PostColumns(
        key=columns["id"],
        external_id=columns["external_id"],
        author=author,
        created_us=columns["created_at"],
        visible=columns["visible"],
        seq=columns["seq"],
        text=columns["content"],
        tags=columns["tags"],
        sensitive=columns["sensitive"],
        embedding=same_length(columns["embedding"]) if embeddings else None,
        **{name: columns[name] for name in ("visibility", "audience_id", "language", "root_id", "repost_of")},
    )
    return posts, checksums


def _follows(connection: Connection, schema: SchemaName, users: UuidIndex) -> FollowColumns:
    records = read_packed(
        connection,
        "uuid_send(follower_id) || uuid_send(followee_id) || timestamptz_send(coalesce(created_at, '-infinity'))",
        f"{schema['feed_follows']} WHERE follower_id <> followee_id",
        FOLLOW,
    )
    follower, followee = users.rows(records["follower"]), users.rows(records["followee"])
    known = (follower >= 0) & (followee >= 0)
    return FollowColumns(follower[known], followee[known], unix_microseconds(records["since"][known]))


def _events(
    connection: Connection,
    source: str,
    users: UuidIndex,
    posts: PostColumns,
    of_other_posts: bool,
    event_files: EventFiles | None,
) -> tuple[EventColumns, EventChecksums]:
    """The events of `source` with `posts`, in order of time, and the checksums of these, or also `of_other_posts`.

    `event_files` get the events if they are given, and the columns are empty.
    """
    statement = f"""
        SELECT string_agg(record, ''::bytea), max(seq) FROM (
            SELECT {EVENT_RECORD} || int4send({EVENT_HASH}) AS record, seq
            FROM {source} WHERE seq > %s ORDER BY seq LIMIT {RECORDS_PER_PAGE}
        ) AS packed"""
    no_rows = np.empty(0, np.int32)
    pages = [keyed_events(np.empty(0, EVENT)).with_rows(no_rows, no_rows)]
    post_rows = UuidIndex(posts.key)
    checksums = EventChecksums()
    last, n_read, n_pages = 0, 0, 0
    while (read := connection.exec_driver_sql(statement, (last,)).one())[0] is not None:
        content, last = read
        page = np.frombuffer(content, EVENT)
        user, post = users.rows(page["user"]), post_rows.rows(page["post"])
        known = keyed_events(page).with_rows(user, post)
        if event_files is None:
            pages.append(known)
        else:
            event_files.append(known, posts.author)
        shown = np.flatnonzero((user >= 0) & ((post >= 0) | of_other_posts))
        checksums.add(page["seq"][shown].astype(np.int64), page["checksum"][shown])
        n_read, n_pages = n_read + len(page), n_pages + 1
        if n_pages % _PAGES_PER_REPORT == 0:
            log.info("feed.reading", events=n_read)
    events = EventColumns.concatenate(pages)
    pages.clear()  # the sort needs memory too
    events.sort_in_place()
    return events, checksums


def read_events(connection: Connection, source: str, *values: object) -> KeyedEvents:
    """The events of `source`: the table, with a WHERE condition on `values`."""
    return keyed_events(read_packed(connection, EVENT_RECORD, source, _EVENT_WITHOUT_CHECKSUM, *values))


def keyed_events(records: NDArray[np.void]) -> KeyedEvents:
    """The events in records of EVENT."""
    return KeyedEvents(
        user=records["user"],
        post=records["post"],
        kind=records["kind"].astype(np.uint8),
        time_us=unix_microseconds(records["time"]),
        received_us=unix_microseconds(records["received"]),
        seq=records["seq"].astype(np.int64),
    )


def unix_microseconds(sent: NDArray[np.signedinteger[Any]]) -> NDArray[np.int64]:
    """Binary timestamptz values as microseconds since the Unix epoch; -infinity and infinity give NO_TIME."""
    microseconds = sent.astype(np.int64)
    infinite = np.isin(microseconds, (np.iinfo(np.int64).min, np.iinfo(np.int64).max))
    return np.where(infinite, NO_TIME, microseconds + EPOCH_2000_US)
