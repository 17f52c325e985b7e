"""Loads a whole feed at once: COPY into staging tables, then one INSERT per table, all in one transaction.

Loading the same feed again adds nothing: users and posts are identified by id, follows by their pair of users, and
interactions by `event_id`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset, FollowColumns, PostColumns, UserColumns
from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.copy_format import (
    NULL,
    CopySource,
    binary_times,
    count_fields,
    tags,
    text,
    time_fields,
    uuid_fields,
)
from app.infrastructure.database.schema import OWNER_MARK, SchemaName


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """Numbers of new rows."""

    users: int
    posts: int
    follows: int
    interactions: int


@dataclass(frozen=True, slots=True)
class TimeShift:
    """The seconds that were added to all times of the data set `name` at its first load."""

    name: str
    seconds: float


class LoadRejected(Exception):
    """The feed cannot be loaded into this database; the message is one line. Nothing was written."""


class ShiftConflict(LoadRejected):
    """The data set was loaded before with another time shift."""

    def __init__(self, before: TimeShift, asked: float) -> None:
        super().__init__(
            f"data set {before.name} was loaded before with its times shifted by {before.seconds} s, "
            f"not by {asked} s"
        )
        self.before = before


def stored_shift(engine: Engine, schema: SchemaName, name: str) -> float | None:
    """The time shift of a data set's first load in seconds, None before that load. Raises StorageUnavailable."""
    with storage_errors(), engine.connect() as connection:
        return _shift(connection, schema, name)


def load_feed(
    engine: Engine,
    feed: FeedDataset,
    schema: SchemaName | None = None,
    *,
    remember: TimeShift | None = None,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
) -> LoadCounts:
    """Add the rows of `feed` that the database lacks, in one transaction.

    Users and posts without a time get the time of loading; the `created_at` of an event is its own time. Events need
    an `event_id`. `seq` of posts and events follows the order of the rows.

    remember  the time shift of this data set; it is stored in the same transaction
    progress  is called with ("users", "posts", "follows" or "interactions", number of rows loaded)

    Raises LoadRejected (the tables are not ours, or a row contradicts the database), ShiftConflict (another shift is
    stored) and StorageUnavailable. It needs COPY, so the process must not have called `install_deadlines`.
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
    """One load: each table gets a staging table, which the end of the transaction drops."""

    def __init__(
        self, connection: Connection, schema: SchemaName, progress: Callable[[str, int], None]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._progress = progress
        self._staged = 0  # rows of the table that is being loaded

    def __call__(self, feed: FeedDataset) -> LoadCounts:
        """Load the tables in the order of their foreign keys."""
        return LoadCounts(
            self._load_users(feed.users),
            self._load_posts(feed.users, feed.posts),
            self._load_follows(feed.users, feed.follows),
            self._load_interactions(feed.users, feed.posts, feed.events),
        )

    def _load_users(self, users: UserColumns) -> int:
        n = len(users)
        rows = zip(
            range(n), uuid_fields(users.key), map(text, users.external_id), time_fields(users.created_us, n),
            map(text, users.username or [None] * n), count_fields(users.follower_count, n), strict=True,
        )  # fmt: skip
        self._copy(
            "users",
            "n int PRIMARY KEY, id uuid, external_id text, created timestamptz, username text, follower_count int",
            CopySource.of_rows(rows),
        )
        columns = "id, external_id, username, follower_count"
        return self._insert("users", f"{columns}, created_at", f"{columns}, coalesce(created, now())")

    def _load_posts(self, users: UserColumns, posts: PostColumns) -> int:
        n = len(posts)
        user_ids = uuid_fields(users.key)
        rows = zip(
            range(n), uuid_fields(posts.key), map(text, posts.external_id),
            (user_ids[row] if row >= 0 else NULL for row in posts.author.tolist()), time_fields(posts.created_us, n),
            map(text, posts.text), map(tags, posts.tags), ("ft"[visible] for visible in posts.visible.tolist()),
            count_fields(posts.like_count, n), count_fields(posts.comment_count, n), strict=True,
        )  # fmt: skip
        self._copy(
            "posts",
            "n int PRIMARY KEY, id uuid, external_id text, author_id uuid, created timestamptz, content text, "
            "tags text[], visible boolean, like_count int, comment_count int",
            CopySource.of_rows(rows),
        )
        columns = "id, external_id, author_id, content, tags, visible, like_count, comment_count"
        return self._insert("posts", f"{columns}, created_at", f"{columns}, coalesce(created, now())")

    def _load_follows(self, users: UserColumns, follows: FollowColumns) -> int:
        self._copy(
            "follows",
            "n int PRIMARY KEY, follower_id uuid, followee_id uuid, since timestamptz",
            CopySource.of_columns(
                {
                    "follower_id": users.key[follows.follower],
                    "followee_id": users.key[follows.followee],
                    "since": binary_times(follows.since_us),
                }
            ),
        )
        since = "nullif(since, '-infinity')"
        return self._insert(
            "follows", "follower_id, followee_id, created_at", f"follower_id, followee_id, {since}"
        )

    def _load_interactions(self, users: UserColumns, posts: PostColumns, events: EventColumns) -> int:
        assert events.event_id is not None
        self._copy(
            "user_interaction",
            "n int PRIMARY KEY, user_id uuid, post_id uuid, kind int2, occurred timestamptz, event_id uuid",
            CopySource.of_columns(
                {
                    "user_id": users.key[events.user],
                    "post_id": posts.key[events.post],
                    "kind": events.kind.astype(">i2"),
                    "occurred": binary_times(events.time_us),
                    "event_id": events.event_id,
                }
            ),
        )
        metadata = enumerate(() if events.metadata is None else events.metadata.tolist())
        described = ((str(row), text(json)) for row, json in metadata if json != "{}")
        self._copy("metadata", "n int PRIMARY KEY, metadata jsonb", CopySource.of_rows(described))
        kinds = ", ".join(f"'{kind}'" for kind in INTERACTION_TYPES)
        return self._insert(
            "user_interaction",
            "user_id, post_id, interaction_type, metadata, created_at, occurred_at, event_id",
            f"user_id, post_id, (ARRAY[{kinds}])[kind + 1], coalesce(m.metadata, '{{}}'), occurred, occurred, event_id",
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
        """Insert the staged rows whose keys are all new, in parts, so that the progress can be shown."""
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


def _must_be_ours(connection: Connection, schema: SchemaName) -> None:
    for table in ("users", "posts", "follows", "user_interaction"):
        mark = connection.exec_driver_sql(
            "SELECT obj_description(to_regclass(%s), 'pg_class')", (schema[table],)
        )
        if mark.scalar_one() != OWNER_MARK:
            raise LoadRejected(
                f"{schema[table]} was not created by the migrations of this service: run `python -m alembic upgrade "
                "head`, or set DB_SCHEMA to a schema of the service's own"
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
