"""Loading a whole feed at once: COPY into staging tables, then one INSERT for each table, all in one transaction.

Loading the same feed again adds nothing: users and posts are told apart by id, follows by their pair, interactions
by `event_id`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psycopg2
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.domain.entities import INTERACTION_TYPES
from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.copy_format import NULL, CopySource, number, tags, text, uuid_fields
from app.infrastructure.database.schema import OWNER_MARK, SchemaName


@dataclass(frozen=True, slots=True, eq=False)
class UserRows:
    """(n_users,) users to load."""

    key: NDArray[np.void]  # V16, the UUID's bytes, see app.domain.feed.dataset.uuid_keys
    external_id: list[str]
    created: NDArray[np.float64]  # seconds since the epoch; NaN: the time of loading
    username: list[str | None] | None = None
    follower_count: list[int | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PostRows:
    """(n_posts,) posts to load; their `seq` follows the order given here."""

    key: NDArray[np.void]  # V16
    external_id: list[str]
    author: NDArray[np.int32]  # row of UserRows, -1 unknown
    created: NDArray[np.float64]  # seconds since the epoch; NaN: the time of loading
    content: list[str | None] | None = None
    tags: list[tuple[str, ...]] | None = None
    visible: NDArray[np.bool_] | None = None  # None: all visible
    like_count: list[int | None] | None = None
    comment_count: list[int | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FollowRows:
    """(n_follows,) edges to load, no user following himself."""

    follower: NDArray[np.int32]  # row of UserRows
    followee: NDArray[np.int32]  # row of UserRows
    since: NDArray[np.float64]  # seconds since the epoch, NaN undated


@dataclass(frozen=True, slots=True, eq=False)
class InteractionRows:
    """(n_interactions,) events to load; their `seq` follows the order given here, so give them sorted by time."""

    user: NDArray[np.int32]  # row of UserRows
    post: NDArray[np.int32]  # row of PostRows
    kind: NDArray[np.uint8]  # position in INTERACTION_TYPES
    occurred: NDArray[np.float64]  # seconds since the epoch
    event_id: NDArray[np.void]  # V16
    metadata: dict[int, str] | None = None  # row -> JSON text of an object; rows not named here have {}


@dataclass(frozen=True, slots=True, eq=False)
class FeedTables:
    """A feed as it goes into the tables. Everything named by a row number exists: users and posts come complete."""

    users: UserRows
    posts: PostRows
    follows: FollowRows
    interactions: InteractionRows


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """Rows that were new."""

    users: int
    posts: int
    follows: int
    interactions: int


@dataclass(frozen=True, slots=True)
class TimeShift:
    """By how much the times of the data set called `name` were moved when it was first loaded."""

    name: str
    seconds: float


class LoadRejected(Exception):
    """The feed cannot go into this database as it is; the message is one line that says why. Nothing was written."""


class ShiftConflict(LoadRejected):
    """The data set is there already, moved by another amount."""

    def __init__(self, before: TimeShift, asked: float) -> None:
        super().__init__(f"{before.name} was loaded moved by {before.seconds} s before, not by {asked} s")
        self.before = before


def stored_shift(engine: Engine, schema: SchemaName, name: str) -> float | None:
    """The seconds a data set was moved by when it was first loaded; None: it was not. Raises StorageUnavailable."""
    with storage_errors(), engine.connect() as connection:
        return _shift(connection, schema, name)


def load_feed(
    engine: Engine,
    feed: FeedTables,
    schema: SchemaName | None = None,
    *,
    remember: TimeShift | None = None,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
) -> LoadCounts:
    """Add what of `feed` is not there yet, in one transaction; `created_at` of an event is when it occurred.

    remember  noted in the same transaction
    progress  told ("users", "posts", "follows" or "interactions", rows of it that are done) as it goes on

    Raises LoadRejected (tables that are not ours, rows that contradict the database; ShiftConflict for a shift other
    than the remembered one), StorageUnavailable. Needs COPY, so not in a process that called `install_deadlines`.
    """
    schema = schema or SchemaName()
    try:
        with storage_errors(), engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET LOCAL TimeZone TO 'UTC'")
            _must_be_ours(connection, schema)
            if remember is not None:
                _remember(connection, schema, remember)
            return _Load(connection, schema, progress)(feed)
    except DBAPIError as error:
        raise LoadRejected(str(error.orig).strip().replace("\n", "; ")) from error
    except psycopg2.Error as error:
        raise LoadRejected(str(error).strip().replace("\n", "; ")) from error


class _Load:
    """One load: a staging table for each table, filled by COPY, gone at the end of the transaction."""

    def __init__(
        self, connection: Connection, schema: SchemaName, progress: Callable[[str, int], None]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._progress = progress
        self._staged = 0  # rows of the table that is being loaded

    def __call__(self, feed: FeedTables) -> LoadCounts:
        """Users, then what points to them, then what points to both."""
        return LoadCounts(
            self._load_users(feed.users),
            self._load_posts(feed.users, feed.posts),
            self._load_follows(feed.users, feed.follows),
            self._load_interactions(feed),
        )

    def _load_users(self, users: UserRows) -> int:
        n = len(users.key)
        rows = zip(
            range(n), uuid_fields(users.key), map(text, users.external_id), map(number, users.created.tolist()),
            map(text, users.username or [None] * n), map(number, users.follower_count or [None] * n), strict=True,
        )  # fmt: skip
        stage = (
            "n int PRIMARY KEY, id uuid, external_id text, created float8, username text, follower_count int"
        )
        self._copy("users", stage, CopySource.of_rows(rows))
        return self._insert(
            "users",
            "id, external_id, created_at, username, follower_count",
            f"id, external_id, {_time('created')}, username, follower_count",
        )

    def _load_posts(self, users: UserRows, posts: PostRows) -> int:
        n = len(posts.key)
        author = uuid_fields(users.key)
        rows = zip(
            range(n), uuid_fields(posts.key), map(text, posts.external_id),
            (author[row] if row >= 0 else NULL for row in posts.author.tolist()), map(number, posts.created.tolist()),
            map(text, posts.content or [None] * n), map(tags, posts.tags or [()] * n),
            ("ft"[one] for one in (posts.visible.tolist() if posts.visible is not None else [True] * n)),
            map(number, posts.like_count or [None] * n), map(number, posts.comment_count or [None] * n), strict=True,
        )  # fmt: skip
        self._copy(
            "posts",
            "n int PRIMARY KEY, id uuid, external_id text, author_id uuid, created float8, content text, tags text[], "
            "visible boolean, like_count int, comment_count int",
            CopySource.of_rows(rows),
        )
        others = "id, external_id, author_id, content, tags, visible, like_count, comment_count"
        return self._insert("posts", f"{others}, created_at", f"{others}, {_time('created')}")

    def _load_follows(self, users: UserRows, follows: FollowRows) -> int:
        self._copy(
            "follows",
            "n int PRIMARY KEY, follower_id uuid, followee_id uuid, since float8",
            CopySource.of_columns(
                {
                    "follower_id": users.key[follows.follower],
                    "followee_id": users.key[follows.followee],
                    "since": follows.since.astype(">f8"),
                }
            ),
        )
        since = "to_timestamp(nullif(since, 'NaN'))"
        return self._insert(
            "follows", "follower_id, followee_id, created_at", f"follower_id, followee_id, {since}"
        )

    def _load_interactions(self, feed: FeedTables) -> int:
        events = feed.interactions
        self._copy(
            "user_interaction",
            "n int PRIMARY KEY, user_id uuid, post_id uuid, kind int2, occurred float8, event_id uuid",
            CopySource.of_columns(
                {
                    "user_id": feed.users.key[events.user],
                    "post_id": feed.posts.key[events.post],
                    "kind": events.kind.astype(">i2"),
                    "occurred": events.occurred.astype(">f8"),
                    "event_id": events.event_id,
                }
            ),
        )
        described = ((str(row), text(json)) for row, json in sorted((events.metadata or {}).items()))
        self._copy("metadata", "n int PRIMARY KEY, metadata jsonb", CopySource.of_rows(described))
        kinds = ", ".join(f"'{kind}'" for kind in INTERACTION_TYPES)
        return self._insert(
            "user_interaction",
            "user_id, post_id, interaction_type, metadata, created_at, occurred_at, event_id",
            f"user_id, post_id, (ARRAY[{kinds}])[kind + 1], coalesce(m.metadata, '{{}}'), to_timestamp(occurred), "
            "to_timestamp(occurred), event_id",
            "LEFT JOIN staged_metadata m USING (n)",
        )

    def _copy(self, name: str, columns: str, source: CopySource) -> None:
        driver = self._connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE staged_{name} ({columns}) ON COMMIT DROP")
            try:
                cursor.copy_expert(f"COPY staged_{name} FROM STDIN (FORMAT {source.copy_format})", source)
            except psycopg2.Error:
                if source.error is None:
                    raise
                raise LoadRejected(f"{name}: {source.error}") from source.error
            if name != "metadata":
                self._staged = cursor.rowcount
            cursor.execute(f"ANALYZE staged_{name}")

    def _insert(self, table: str, columns: str, values: str, joined: str = "") -> int:
        """Whatever is there already, by any of its keys, stays as it is. In parts, to tell how far it is."""
        statement = (
            f"INSERT INTO {self._schema[table]} ({columns}) SELECT {values} FROM staged_{table} {joined} "
            "WHERE n >= %s AND n < %s ORDER BY n ON CONFLICT DO NOTHING"
        )
        added = 0
        for start in range(0, self._staged, _ROWS_PER_INSERT):
            end = min(start + _ROWS_PER_INSERT, self._staged)
            added += self._connection.exec_driver_sql(statement, (start, end)).rowcount
            self._progress("interactions" if table == "user_interaction" else table, end)
        return added


_ROWS_PER_INSERT = 20_000


def _time(column: str) -> str:
    return f"coalesce(to_timestamp(nullif({column}, 'NaN')), now())"


def _must_be_ours(connection: Connection, schema: SchemaName) -> None:
    for table in ("users", "posts", "follows", "user_interaction"):
        mark = connection.exec_driver_sql(
            "SELECT obj_description(to_regclass(%s), 'pg_class')", (schema[table],)
        )
        if mark.scalar_one() != OWNER_MARK:
            raise LoadRejected(
                f"{schema[table]} was not made by our migrations (run `python -m alembic upgrade head`, or load into "
                "a schema of the service's own: DB_SCHEMA)"
            )


def _shift(connection: Connection, schema: SchemaName, name: str) -> float | None:
    query = f"SELECT shift_seconds FROM {schema['feed_import']} WHERE name = %s"
    found: float | None = connection.exec_driver_sql(query, (name,)).scalar_one_or_none()
    return found


def _remember(connection: Connection, schema: SchemaName, shift: TimeShift) -> None:
    connection.exec_driver_sql(
        f"INSERT INTO {schema['feed_import']} (name, shift_seconds) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (shift.name, shift.seconds),
    )
    known = _shift(connection, schema, shift.name)
    if known is not None and known != shift.seconds:
        raise ShiftConflict(TimeShift(shift.name, known), shift.seconds)
