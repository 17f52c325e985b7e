"""FeedLog over PostgreSQL: the whole feed from one snapshot, then the rows that became visible after it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg2.errors
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ProgrammingError

from app.domain.entities import Interaction, Post, User
from app.domain.errors import PositionExpired
from app.domain.repositories.feed_log import FeedChanges, FeedChecksums, FeedSnapshot, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction
from app.infrastructure.database.connection import DEFAULT_BUDGET_SECONDS, transaction
from app.infrastructure.database.full_read import POST_READABLE, read_feed
from app.infrastructure.database.post_repository_impl import POST_COLUMNS, post_from_row
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName
from app.infrastructure.database.view_checksums import has_complete_change_capture, read_checksums

MAX_ROWS_PER_READ: Final = 20_000
"""Rows of each table in one result of `read_changes`; further rows follow with the next call."""
MAX_ROWS_PER_PURGE: Final = 10_000
"""Rows removed in one transaction, so that no other transaction waits long for it."""

CHANGE_COLUMNS: Final = "entity, key::text, other::text"
EVENT_COLUMNS: Final = (
    "user_id::text, post_id::text, interaction_type, occurred_at, event_id::text, request_id"
)

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """Which rows of the log were returned; `LogPosition.detail` holds it as JSON.

    A snapshot of PostgreSQL ("xmin:xmax:running,...") defines which transactions are visible. New rows are those that
    a later snapshot shows and the previous one does not, so late commits are never missed and no row comes twice.

    If the new rows exceed one result, `target` keeps the later snapshot until all its rows are read: first the
    outbox `feed_change`, then `user_interaction`, whose events may need posts of the outbox. Each table is read in
    the order (xid, seq).
    """

    delivered: str  # snapshot: all rows visible in it were returned
    target: str = ""  # snapshot that is being read; empty between reads
    table: str = "feed_change"  # table that is being read
    last_xid: int = 0  # last row of `table` that was returned
    last_seq: int = 0

    @classmethod
    def from_position(cls, position: LogPosition) -> "ReadProgress":
        if not position.detail.startswith("{"):  # absent, or written by another version
            return cls(delivered=f"{position.xid}:{position.xid}:")
        return cls(**json.loads(position.detail))

    def to_position(self, source: str) -> LogPosition:
        return LogPosition(source, int(self.xmin), json.dumps(asdict(self)))

    @property
    def xmin(self) -> str:
        """The oldest transaction that ran at the time of `delivered`; all rows of earlier ones were returned."""
        return self.delivered.partition(":")[0]

    def after_table(self) -> "ReadProgress":
        """The progress when all rows of `table` up to `target` were returned."""
        if self.table == "feed_change":
            return ReadProgress(self.delivered, self.target, "user_interaction")
        return ReadProgress(delivered=self.target)


class SqlFeedLog:
    """FeedLog over the views, user_interaction and feed_change, through their (xid, seq) indexes."""

    def __init__(
        self,
        engine: Engine,
        schema: SchemaName = PUBLIC_SCHEMA,
        *,
        budget_seconds: float = DEFAULT_BUDGET_SECONDS,
        load_budget_seconds: float = 300.0,
        max_rows_per_read: int = MAX_ROWS_PER_READ,
    ) -> None:
        self._engine = engine
        self._schema = schema
        self._budget_seconds = budget_seconds
        self._load_budget_seconds = load_budget_seconds
        self._max_rows_per_read = max_rows_per_read

    def source(self) -> str:
        """Return the identity of cluster, database and table; a restored or re-created one has another."""
        with transaction(self._engine, self._budget_seconds, snapshot=True) as connection:
            return self._source(connection)

    def read_all(self) -> FeedSnapshot:
        """Read the whole feed from one snapshot. 336k events take about 1.5 s, five million about 15 s."""
        self._number_posts("true")
        with transaction(self._engine, self._load_budget_seconds, snapshot=True) as connection:
            progress = ReadProgress(_current_snapshot(connection))
            recent = connection.exec_driver_sql(
                f"SELECT seq FROM {self._schema['user_interaction']} WHERE xid >= %s::text::xid8",
                (progress.xmin,),
            )
            return FeedSnapshot(
                dataset=read_feed(connection, self._schema),
                position=progress.to_position(self._source(connection)),
                recent=frozenset(recent.scalars()),
            )

    def read_changes(self, since: LogPosition) -> FeedChanges:
        """Read the rows that became visible after `since`, at most `max_rows_per_read` of each table.

        Events have no metadata, because the ranking does not use it. Raises PositionExpired, StorageUnavailable.
        """
        progress = ReadProgress.from_position(since)
        with transaction(self._engine, self._budget_seconds, snapshot=True) as connection:
            if self._is_purged_after(connection, progress):
                raise PositionExpired("the outbox was purged beyond this position; read the whole feed again")
            if not progress.target:
                progress = replace(progress, target=_current_snapshot(connection))
            changes, progress = self._new_rows(connection, progress, "feed_change", CHANGE_COLUMNS)
            rows, progress = self._new_rows(connection, progress, "user_interaction", EVENT_COLUMNS)
            events = sorted(map(_event_from_row, rows), key=lambda event: event.seq)
            position = progress.to_position(since.source)
            return self._feed_changes(connection, changes, events, position, more=bool(progress.target))

    def can_resume_from(self, since: LogPosition, events: int) -> bool:
        """As in FeedLog. Counts all events: 336k take about 60 ms."""
        progress = ReadProgress.from_position(since)
        with transaction(self._engine, self._load_budget_seconds, snapshot=True) as connection:
            if (
                self._source(connection) != since.source
                or self._is_purged_after(connection, progress)
                or not has_complete_change_capture(connection, self._schema)
            ):
                return False
            count = connection.exec_driver_sql(
                f"SELECT count(*) FROM {self._schema['user_interaction']} "
                "WHERE pg_visible_in_snapshot(xid, %s::text::pg_snapshot)",
                (progress.delivered,),
            )
            return bool(count.scalar_one() == events)

    def has_complete_change_capture(self) -> bool:
        """As in FeedLog; reads the definitions of the views and the triggers from the catalogue."""
        with transaction(self._engine, self._budget_seconds, snapshot=True) as connection:
            return has_complete_change_capture(connection, self._schema)

    def checksums(self) -> FeedChecksums:
        """As in FeedLog; numbers the posts of an adopted table first."""
        self._number_posts("true")
        with transaction(self._engine, self._load_budget_seconds, snapshot=True) as connection:
            return read_checksums(connection, self._schema)

    def purge(self, older_than: timedelta) -> int:
        """As in FeedLog. Removes rows in several transactions; concurrent purges do not wait for each other.

        The SQL function has the rights of the schema's owner, because the service's role cannot delete from the outbox.
        """
        purged = 0
        while True:
            with transaction(self._engine, self._load_budget_seconds) as connection:
                rows: int = connection.exec_driver_sql(
                    f"SELECT {self._schema['feed_change_sweep']}(make_interval(secs => %s), %s)",
                    (older_than.total_seconds(), MAX_ROWS_PER_PURGE),
                ).scalar_one()
            purged += rows
            if rows < MAX_ROWS_PER_PURGE:
                return purged

    def posts_created_since(self, created: float) -> Sequence[Post]:
        """As in FeedLog; `created` is in seconds since the epoch."""
        created_at = datetime.fromtimestamp(created, UTC)
        self._number_posts("created_at >= %s", created_at)
        with transaction(self._engine, self._load_budget_seconds, snapshot=True) as connection:
            rows = connection.exec_driver_sql(
                f"SELECT {POST_COLUMNS} FROM {self._schema['feed_posts']} "
                f"WHERE created_at >= %s AND {POST_READABLE} ORDER BY created_at, seq",
                (created_at,),
            )
            return [post_from_row(row) for row in rows]

    def _source(self, connection: Connection) -> str:
        database, table = connection.exec_driver_sql(
            "SELECT oid, to_regclass(%s)::oid FROM pg_database WHERE datname = current_database()",
            (self._schema["user_interaction"],),
        ).one()
        try:
            with connection.begin_nested():
                cluster = connection.exec_driver_sql(
                    "SELECT system_identifier FROM pg_control_system()"
                ).scalar_one()
        except ProgrammingError as error:
            if not isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
                raise
            cluster = "-"
        return f"{cluster}/{database}/{self._schema.plain}/{table}"

    def _is_purged_after(self, connection: Connection, progress: ReadProgress) -> bool:
        """Return whether outbox rows were removed that this reader may not have read.

        A transaction number that lies ahead of this cluster came with a dump of another one and is ignored.
        """
        purged = connection.exec_driver_sql(
            "SELECT xid >= %s::text::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) "
            f"FROM {self._schema['feed_change_swept']}",
            (progress.xmin,),
        )
        return bool(purged.scalar_one_or_none())

    def _new_rows(
        self, connection: Connection, progress: ReadProgress, table: str, columns: str
    ) -> tuple[list[Any], ReadProgress]:
        """Return new rows (xid, seq, *columns) of `table`, and the progress after them.

        There are none if `progress` has not reached the table.
        """
        if progress.table != table:
            return [], progress
        statement = (
            f"SELECT xid::text::bigint, seq, {columns} FROM {self._schema[table]} "
            "WHERE xid >= %s::text::xid8 AND (xid, seq) > (%s::text::xid8, %s) "
            "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
            "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid, seq LIMIT %s"
        )
        after = (progress.xmin, str(progress.last_xid), progress.last_seq)
        limit = self._max_rows_per_read
        parameters = (*after, progress.delivered, progress.target, limit + 1)
        rows: list[Any] = list(connection.exec_driver_sql(statement, parameters))
        if len(rows) <= limit:
            return rows, progress.after_table()
        last_xid, last_seq = rows[limit - 1][:2]
        return rows[:limit], replace(progress, last_xid=last_xid, last_seq=last_seq)

    def _feed_changes(
        self,
        connection: Connection,
        changes: list[Any],
        events: list[StoredInteraction],
        position: LogPosition,
        *,
        more: bool,
    ) -> FeedChanges:
        """Read the current rows of the keys in `changes`; a key that the views do not show is removed."""
        keys = [(entity, key, other) for _, _, entity, key, other in changes]
        user_ids = dict.fromkeys(UUID(key) for entity, key, _ in keys if entity == "user")
        post_ids = dict.fromkeys(UUID(key) for entity, key, _ in keys if entity == "post")
        pairs = dict.fromkeys((UUID(key), UUID(other)) for entity, key, other in keys if entity == "follow")
        users = self._users(connection, user_ids)
        posts = self._posts(connection, post_ids)
        follows = self._follows(connection, pairs)
        return FeedChanges(
            users=users,
            removed_users=_missing(user_ids, (user.id for user in users)),
            posts=posts,
            removed_posts=_missing(post_ids, (post.id for post in posts)),
            follows=follows,
            removed_follows=_missing(pairs, follows),
            events=events,
            position=position,
            more=more,
        )

    def _users(self, connection: Connection, ids: Iterable[UUID]) -> list[User]:
        query = f"SELECT id::text, external_id FROM {self._schema['feed_users']} WHERE id = ANY(%s::uuid[])"
        return [User(UUID(row[0]), row[1] or row[0]) for row in _rows_of_keys(connection, query, ids)]

    def _posts(self, connection: Connection, ids: Iterable[UUID]) -> list[Post]:
        query = (
            f"SELECT {POST_COLUMNS} FROM {self._schema['feed_posts']} "
            f"WHERE id = ANY(%s::uuid[]) AND {POST_READABLE} ORDER BY seq"
        )
        return [post_from_row(row) for row in _rows_of_keys(connection, query, ids)]

    def _follows(self, connection: Connection, pairs: Iterable[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
        query = (
            f"SELECT follower_id::text, followee_id::text FROM {self._schema['feed_follows']} "
            "JOIN unnest(%s::uuid[], %s::uuid[]) AS given (follower_id, followee_id) USING (follower_id, followee_id)"
        )
        rows = _rows_of_keys(connection, query, *zip(*pairs, strict=True))
        return [(UUID(follower), UUID(followee)) for follower, followee in rows]

    def _number_posts(self, condition: str, *values: object) -> None:
        """Number the posts of an adopted table that have no `seq` yet. Our own table numbers its posts itself."""
        view = self._schema["feed_posts"]
        with transaction(self._engine, self._load_budget_seconds) as connection:
            unnumbered = f"FROM {view} WHERE seq IS NULL AND {condition}"
            if connection.exec_driver_sql(f"SELECT EXISTS (SELECT {unnumbered})", values).scalar_one():
                connection.exec_driver_sql(
                    f"INSERT INTO {self._schema['feed_post_number']} (post_id) SELECT id {unnumbered} "
                    "ORDER BY created_at ON CONFLICT DO NOTHING",
                    values,
                )


def _current_snapshot(connection: Connection) -> str:
    text: str = connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
    return text


def _rows_of_keys(connection: Connection, query: str, *columns: Iterable[UUID]) -> Sequence[Any]:
    """Run a query whose parameters are arrays of UUIDs, unless there are no keys."""
    parameters = tuple(list(map(str, column)) for column in columns)
    return connection.exec_driver_sql(query, parameters).all() if parameters and parameters[0] else []


def _missing(keys: Iterable[_Key], found: Iterable[_Key]) -> list[_Key]:
    present = set(found)
    return [key for key in keys if key not in present]


def _event_from_row(row: Any) -> StoredInteraction:
    xid, seq, user, post, kind, occurred_at, event, request = row
    event_id = UUID(event) if event else None
    interaction = Interaction(UUID(user), UUID(post), kind, occurred_at, event_id, request)
    return StoredInteraction(seq, xid, interaction)
