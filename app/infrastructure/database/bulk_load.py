"""Loads a whole feed at once, in one transaction. Each page of rows is one JSON document, which PostgreSQL expands.

Loading the same feed again adds nothing: users and posts are identified by id, follows by their pair of users, and
interactions by `event_id`, controls by user, action, target and number, and pages by user, time and request.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.control import TARGET_FIELDS, Control
from app.domain.feed.dataset import FeedDataset, PostColumns, UserColumns
from app.infrastructure.database.bulk_pages import create_partitions, insert_pages, recent_pages
from app.infrastructure.database.bulk_rows import Columns, json_rows, json_values
from app.infrastructure.database.bulk_update import GivenRows, different_rows, surplus_rows
from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.schema import OWNER_MARK, PUBLIC_SCHEMA, SchemaName
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones
from app.shared.exceptions import ConfigurationError

_ROWS_PER_INSERT: Final = 5_000
_WITH_TIME: Final = {"created_at": "coalesce(created_at, now())"}
_EXPRESSIONS: Final = {
    "users": _WITH_TIME,
    "posts": _WITH_TIME,
    "user_feedback": _WITH_TIME,
    "user_interaction": {"created_at": "occurred_at", "metadata": "(metadata #>> '{}')::jsonb"},
}
"""Table -> column -> its value as SQL, for columns that are not stored as they are given."""
_CONTROL_FIELDS: Final = ("user_id", "action", "post_id", "author_id", "tag", "word", "created_at", "until")
_TABLES: Final = ("users", "posts", "follows", "user_interaction", "user_feedback", "memberships")
_NAMES: Final = {"user_interaction": "interactions", "user_feedback": "controls", "impression": "impressions"}
"""Table -> its field in LoadCounts, where the two differ."""


_NOTHING_GIVEN: Final = GivenRows()


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """Numbers of new rows, and of the pages that were skipped because of their age.

    erased_users  users of the feed who were erased: none of their rows are loaded
    different  stored users and posts whose values differ from those of the files; they were changed by an update
    surplus    stored follows and memberships that the files lack; they were removed by an update
    """

    users: int
    posts: int
    follows: int
    interactions: int
    controls: int = 0
    memberships: int = 0
    impressions: int = 0
    old_impressions: int = 0
    erased_users: int = 0
    different: Mapping[str, int] = field(default_factory=dict)
    surplus: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimeShift:
    """The seconds that were added to all times of the data set `name` at its first load."""

    name: str
    seconds: float


class LoadRejected(ConfigurationError):
    """The feed cannot be loaded into this database; the message is one line. Nothing was written."""


class ShiftConflict(LoadRejected):
    """The data set was loaded before with another time shift."""

    def __init__(self, before: TimeShift, asked: float) -> None:
        super().__init__(
            f"data set {before.name} was loaded before with its times shifted by {before.seconds} s, "
            f"not by {asked} s"
        )
        self.before = before


def load_feed(
    engine: Engine,
    feed: FeedDataset,
    schema: SchemaName = PUBLIC_SCHEMA,
    *,
    remember: TimeShift | None = None,
    impression_days: int = 30,
    given: GivenRows = _NOTHING_GIVEN,
    update: bool = False,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
    tombstones: Tombstones = NO_TOMBSTONES,
) -> LoadCounts:
    """Add the rows of `feed` that the database lacks, in one transaction.

    Users, posts and controls without a time get the time of loading; the `created_at` of an event is its own time.
    Events need an `event_id`. `seq` of posts, events and controls follows the order of the rows.

    remember         the time shift of this data set; it is stored in the same transaction
    impression_days  pages of earlier days and of the future are skipped
    given            what the files describe; stored rows are compared with it
    update           whether stored rows that differ are changed; follows and memberships become exactly the given ones
                     of each user who has some
    tombstones       recognises erased users, whose rows are removed again before the commit
    progress         is called with a field of LoadCounts, and the number of its rows loaded

    Raises LoadRejected (the tables are not ours, or a row contradicts the database), ShiftConflict (another shift is
    stored), ConfigurationError (tombstones of an unknown secret) and StorageUnavailable.
    """
    try:
        with storage_errors(), engine.begin() as connection:
            must_be_ours(connection, schema)
            pages = recent_pages(connection, feed, impression_days)
            create_partitions(connection, schema, feed, pages)
        with storage_errors(), engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL TimeZone TO 'UTC'")
            if remember is not None:
                _remember(connection, schema, remember)
            tables = _columns(feed)
            added = _add_rows(connection, schema, tables, progress)
            added["impressions"] = insert_pages(connection, schema, feed, pages)
            if len(feed.pages):
                progress("impressions", len(feed.pages))
            different = {
                table: rows
                for table in ("users", "posts")
                if added[table] < len(tables[table]["id"])
                and (rows := different_rows(connection, schema, table, tables[table], given, update=update))
            }
            surplus = {
                table: rows
                for table in given.sets
                if (rows := surplus_rows(connection, schema, table, tables[table], update=update))
            }
            erased = _remove_erased_users(connection, schema, feed, tombstones, added)
            old = len(feed.pages) - len(pages)
            return LoadCounts(
                **added, old_impressions=old, erased_users=erased, different=different, surplus=surplus
            )
    except orjson.JSONEncodeError as error:
        raise LoadRejected(f"a text cannot be stored: {error}") from error
    except DBAPIError as error:
        raise LoadRejected(str(error.orig).strip().replace("\n", "; ")) from error


def _add_rows(
    connection: Connection,
    schema: SchemaName,
    tables: Mapping[str, Columns],
    progress: Callable[[str, int], None],
) -> dict[str, int]:
    """Insert the rows of all tables in the order of the foreign keys; returns the numbers of new rows by name."""
    added: dict[str, int] = {}
    for table, columns in tables.items():
        name = _NAMES.get(table, table)
        added[name] = 0
        for rows_loaded, rows_added in _insert(connection, schema, table, columns):
            added[name] += rows_added
            progress(name, rows_loaded)
    return added


def _remove_erased_users(
    connection: Connection,
    schema: SchemaName,
    feed: FeedDataset,
    tombstones: Tombstones,
    added: dict[str, int],
) -> int:
    """Remove the rows of erased users again; returns the number of these users. The rows no longer count as `added`."""
    if not tombstones.require_known(connection, schema):
        return 0
    keys = [UUID(bytes=key.tobytes()) for key in feed.users.key]
    removed = tombstones.remove_again(connection, schema, keys)
    for table, rows in (item for of_user in removed for item in of_user.items()):
        name = _NAMES.get(table, table)
        if name in added:
            added[name] -= min(rows, added[name])
    return len(removed)


def _columns(feed: FeedDataset) -> dict[str, Columns]:
    """The values of the feed: table -> column -> one value per row."""
    users, posts, follows, events, controls = feed.users, feed.posts, feed.follows, feed.events, feed.controls
    assert events.event_id is not None
    user_ids = json_values(users.key)
    return {
        "users": {
            "id": user_ids,
            "external_id": users.external_id,
            "username": users.username or [None] * len(users),
            "follower_count": _counts(users.follower_count, len(users)),
            "created_at": [None] * len(users) if users.created_us is None else _times(users.created_us),
            **_given(users, ("discoverable", "personalised", "languages", "show_sensitive")),
        },
        "posts": {
            "id": posts.key,
            "external_id": posts.external_id,
            "author_id": [user_ids[row] if row >= 0 else None for row in posts.author.tolist()],
            "content": posts.text,
            "tags": posts.tags,
            "visible": posts.visible,
            "like_count": _counts(posts.like_count, len(posts)),
            "comment_count": _counts(posts.comment_count, len(posts)),
            "created_at": _times(posts.created_us),
            **_given(
                posts,
                (
                    *("visibility", "audience_id", "language", "sensitive", "reply_to", "root_id"),
                    *("repost_of", "embedding"),
                ),
            ),
        },
        "follows": {
            "follower_id": users.key[follows.follower],
            "followee_id": users.key[follows.followee],
            "created_at": _times(follows.since_us),
        },
        "user_interaction": {
            "user_id": users.key[events.user],
            "post_id": posts.key[events.post],
            "interaction_type": np.array([*INTERACTION_TYPES, None], object).take(events.kind, mode="clip"),
            "metadata": ["{}"] * len(events) if events.metadata is None else events.metadata,
            "occurred_at": _times(events.time_us),
            "event_id": events.event_id,
        },
        "user_feedback": {
            **{name: [getattr(one, name) for one in controls] for name in _CONTROL_FIELDS},
            "event_id": _control_ids(controls),
        },
        "memberships": {
            "user_id": users.key[feed.memberships.user],
            "audience_id": feed.memberships.audience_id,
        },
    }


def _given(
    columns: UserColumns | PostColumns, names: Sequence[str]
) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """The optional columns that are not None; the others take the defaults of the table."""
    return {name: column for name in names if (column := getattr(columns, name)) is not None}


def _control_ids(controls: Sequence[Control]) -> list[UUID]:
    """The n-th control of a user with one action and target gets the same id in each load, whatever its time."""
    seen: Counter[tuple[Any, ...]] = Counter()
    ids = []
    for control in controls:
        key = (control.user_id, control.action, getattr(control, TARGET_FIELDS[control.action]))
        ids.append(uuid5(NAMESPACE_URL, "control:" + "|".join(map(str, (*key, seen[key])))))
        seen[key] += 1
    return ids


def _times(time_us: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return time_us.view("datetime64[us]")  # NO_TIME is numpy's NaT


def _counts(counts: NDArray[np.int64] | None, n: int) -> list[int | None]:
    """`n` counts; None for an unknown one."""
    return [None] * n if counts is None else [count if count >= 0 else None for count in counts.tolist()]


def _insert(
    connection: Connection, schema: SchemaName, table: str, columns: Columns
) -> Iterator[tuple[int, int]]:
    """Insert the rows whose keys are all new, page by page; yield the rows read so far and the rows added by a page."""
    expressions = {name: name for name in columns} | _EXPRESSIONS.get(table, {})
    statement = (
        f"INSERT INTO {schema[table]} ({', '.join(expressions)}) SELECT {', '.join(expressions.values())} "
        f"FROM json_populate_recordset(NULL::{schema[table]}, %s) ON CONFLICT DO NOTHING"
    )
    n = len(next(iter(columns.values())))
    for start in range(0, n, _ROWS_PER_INSERT):
        end = min(start + _ROWS_PER_INSERT, n)
        rows = json_rows(columns, slice(start, end))
        yield end, connection.exec_driver_sql(statement, (orjson.dumps(rows).decode(),)).rowcount


def must_be_ours(connection: Connection, schema: SchemaName) -> None:
    """Raise LoadRejected unless the migrations created the tables."""
    for table in (*_TABLES, "impression"):
        query = "SELECT obj_description(to_regclass(%s), 'pg_class')"
        if connection.exec_driver_sql(query, (schema[table],)).scalar_one() != OWNER_MARK:
            raise LoadRejected(
                f"{schema[table]} was not created by the migrations of this service: run `python -m alembic upgrade "
                "head`, or set DB_SCHEMA to a schema of the service's own"
            )


def _remember(connection: Connection, schema: SchemaName, shift: TimeShift) -> None:
    connection.exec_driver_sql(
        f"INSERT INTO {schema['feed_import']} (name, shift_seconds) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (shift.name, shift.seconds),
    )
    query = f"SELECT shift_seconds FROM {schema['feed_import']} WHERE name = %s"
    known: float = connection.exec_driver_sql(query, (shift.name,)).scalar_one()
    if known != shift.seconds:
        raise ShiftConflict(TimeShift(shift.name, known), shift.seconds)
