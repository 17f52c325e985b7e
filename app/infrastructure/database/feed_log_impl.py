"""FeedLog over PostgreSQL: the whole feed from one snapshot, then what became visible after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2.errors
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ProgrammingError

from app.domain.entities import Interaction, Post, User
from app.domain.errors import PositionExpired
from app.domain.repositories.feed_log import FeedChanges, FeedChecksums, FeedSnapshot, LogPosition
from app.domain.repositories.interaction_repository import StoredInteraction
from app.infrastructure.database.connection import transaction
from app.infrastructure.database.full_read import POST_READABLE, read_feed
from app.infrastructure.database.post_repository_impl import POST_COLUMNS, post_from_row
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.view_checksums import has_complete_change_capture, read_checksums

ROWS_PER_READ = 20_000
"""Most rows of each log in one answer of `read_changes`; what is left comes with the next."""
ROWS_PER_SWEEP = 10_000
"""Removed in one transaction: nobody is to wait for a longer one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What of the log was delivered, as `LogPosition.detail` carries it.

    A snapshot of PostgreSQL ("xmin:xmax:running,...") says exactly which transactions it shows, so what is new is what
    a later snapshot shows and an earlier one does not: nothing is lost to a late commit, nothing comes twice, and a
    long transaction holds nothing up. Where that is too much for one answer, it is read in the order (xid, seq),
    first the outbox, then the events (which may need posts of the outbox), always up to the same later snapshot.
    """

    read: str  # all that this snapshot shows was delivered
    target: str = ""  # being read up to this snapshot; empty: nothing is under way
    table: str = "feed_change"  # being read: this table,
    after: tuple[int, int] = (0, 0)  # after this (xid, seq)

    @classmethod
    def of(cls, position: LogPosition) -> "Progress":
        if not position.detail:
            return cls(f"{position.xid}:{position.xid}:")
        read, target, table, xid, seq = position.detail.split("|")
        return cls(read, target, table, (int(xid), int(seq)))

    def at(self, source: str) -> LogPosition:
        xid = int(self.read.partition(":")[0])
        return LogPosition(source, xid, "|".join((self.read, self.target, self.table, *map(str, self.after))))

    @property
    def xmin(self) -> str:
        """Every transaction below had ended and was read."""
        return self.read.partition(":")[0]


class SqlFeedLog:
    """FeedLog over the views, user_interaction and feed_change; served by their (xid, seq) indexes."""

    def __init__(
        self,
        engine: Engine,
        schema: SchemaName | None = None,
        *,
        budget_seconds: float = 5.0,
        load_budget_seconds: float = 300.0,
        rows_per_read: int = ROWS_PER_READ,
    ) -> None:
        self._engine = engine
        self._schema = schema or SchemaName()
        self._budget = budget_seconds
        self._load_budget = load_budget_seconds
        self._rows = rows_per_read

    def source(self) -> str:
        """Cluster, database and table: another one, restored or made anew, counts differently."""
        with transaction(self._engine, self._budget, snapshot=True) as connection:
            return self._source(connection)

    def read_all(self) -> FeedSnapshot:
        """Everything from one snapshot. 336k events take about 1.5 s, five million about 15 s."""
        self._number_posts("true")
        with transaction(self._engine, self._load_budget, snapshot=True) as connection:
            snapshot, xmin = _snapshot(connection)
            recent = connection.exec_driver_sql(
                f"SELECT seq FROM {self._schema['user_interaction']} WHERE xid >= %s::text::xid8",
                (str(xmin),),
            )
            return FeedSnapshot(
                dataset=read_feed(connection, self._schema),
                position=Progress(snapshot).at(self._source(connection)),
                recent=frozenset(recent.scalars()),
            )

    def read_changes(self, since: LogPosition) -> FeedChanges:
        """What became visible since; at most `rows_per_read` rows of a log, the rest with the next call.

        Events come without their metadata, which nothing that ranks reads.
        """
        progress = Progress.of(since)
        with transaction(self._engine, self._budget, snapshot=True) as connection:
            if self._swept_beyond(connection, progress):
                raise PositionExpired("the outbox was swept beyond this position")
            target = progress.target or _snapshot(connection)[0]
            changed: list[Any] = []
            events: list[StoredInteraction] = []
            done = Progress(target)
            if progress.table == "feed_change":
                changed, last = self._new_rows(connection, progress, target, "entity, key::text, other::text")
                if last:
                    done = Progress(progress.read, target, "feed_change", last)
                else:
                    progress = Progress(progress.read, target, "user_interaction")
            if progress.table == "user_interaction":
                rows, last = self._new_rows(
                    connection,
                    progress,
                    target,
                    "user_id::text, post_id::text, interaction_type, occurred_at, event_id::text, request_id",
                )
                events = sorted((_event_from_row(row) for row in rows), key=lambda event: event.seq)
                if last:
                    done = Progress(progress.read, target, "user_interaction", last)
            return self._current(connection, changed, events, done, since.source)

    def can_resume_from(self, since: LogPosition, events: int) -> bool:
        """Costs a look at each event: 336k take about 60 ms."""
        progress = Progress.of(since)
        with transaction(self._engine, self._load_budget, snapshot=True) as connection:
            if (
                self._source(connection) != since.source
                or self._swept_beyond(connection, progress)
                or not has_complete_change_capture(connection, self._schema)
            ):
                return False
            found = connection.exec_driver_sql(
                f"SELECT count(*) FROM {self._schema['user_interaction']} "
                "WHERE pg_visible_in_snapshot(xid, %s::text::pg_snapshot)",
                (progress.read,),
            )
            return bool(found.scalar_one() == events)

    def has_complete_change_capture(self) -> bool:
        """By what the catalogue says of the views and of the triggers on our tables."""
        with transaction(self._engine, self._budget, snapshot=True) as connection:
            return has_complete_change_capture(connection, self._schema)

    def checksums(self) -> FeedChecksums:
        """Of the three views; posts of an adopted table are given their numbers by this."""
        self._number_posts("true")
        with transaction(self._engine, self._load_budget, snapshot=True) as connection:
            return read_checksums(connection, self._schema)

    def purge(self, older_than: timedelta) -> int:
        """In portions, by a function with the rights of the schema's owner. Two sweepers do not wait for each other."""
        removed, portion = 0, ROWS_PER_SWEEP
        while portion == ROWS_PER_SWEEP:
            with transaction(self._engine, self._load_budget) as connection:
                portion = connection.exec_driver_sql(
                    f"SELECT {self._schema['feed_change_sweep']}(make_interval(secs => %s), %s)",
                    (older_than.total_seconds(), ROWS_PER_SWEEP),
                ).scalar_one()
            removed += portion
        return removed

    def posts_created_since(self, created: float) -> Sequence[Post]:
        """By created_at, oldest first; `created` in seconds since the epoch."""
        moment = datetime.fromtimestamp(created, UTC)
        self._number_posts("created_at >= %s", moment)
        with transaction(self._engine, self._load_budget, snapshot=True) as connection:
            found = connection.exec_driver_sql(
                f"SELECT {POST_COLUMNS} FROM {self._schema['feed_posts']} "
                f"WHERE created_at >= %s AND {POST_READABLE} ORDER BY created_at, seq",
                (moment,),
            )
            return [post_from_row(row) for row in found]

    def _source(self, connection: Connection) -> str:
        place = connection.exec_driver_sql(
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
        return f"{cluster}/{place[0]}/{self._schema.plain}/{place[1]}"

    def _swept_beyond(self, connection: Connection, progress: Progress) -> bool:
        """Whether rows were removed that this reader may not have read. What a dump of another cluster brought along
        (a number that is yet to come here) says nothing."""
        found = connection.exec_driver_sql(
            "SELECT xid >= %s::text::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) "
            f"FROM {self._schema['feed_change_swept']}",
            (progress.xmin,),
        )
        return bool(found.scalar_one_or_none())

    def _new_rows(
        self, connection: Connection, progress: Progress, target: str, columns: str
    ) -> tuple[list[Any], tuple[int, int] | None]:
        """Rows of `progress.table` in the order (xid, seq), and where they were cut off if there are more."""
        rows: list[Any] = list(
            connection.exec_driver_sql(
                f"SELECT xid::text::bigint, seq, {columns} FROM {self._schema[progress.table]} "
                "WHERE xid >= %s::text::xid8 AND (xid, seq) > (%s::text::xid8, %s) "
                "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
                "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid, seq LIMIT %s",
                (
                    progress.xmin,
                    str(progress.after[0]),
                    progress.after[1],
                    progress.read,
                    target,
                    self._rows + 1,
                ),
            )
        )
        if len(rows) <= self._rows:
            return rows, None
        rows.pop()
        return rows, (rows[-1][0], rows[-1][1])

    def _current(
        self,
        connection: Connection,
        changed: list[Any],
        events: list[StoredInteraction],
        done: Progress,
        source: str,
    ) -> FeedChanges:
        """The rows that the outbox names as they are now; those that are gone, or no longer shown, are removed."""
        keys: dict[str, dict[Any, None]] = {"user": {}, "post": {}, "follow": {}}  # distinct, in order
        for _, _, entity, key, other in changed:
            keys[entity][(key, other) if other else key] = None
        users = [User(UUID(row[0]), row[1] or row[0]) for row in self._users(connection, list(keys["user"]))]
        posts = [post_from_row(row) for row in self._posts(connection, list(keys["post"]))]
        follows = [(UUID(row[0]), UUID(row[1])) for row in self._follows(connection, list(keys["follow"]))]
        asked = [(UUID(one), UUID(other)) for one, other in keys["follow"]]
        found = set(follows)
        return FeedChanges(
            users=users,
            removed_users=_missing(keys["user"], {user.id for user in users}),
            posts=posts,
            removed_posts=_missing(keys["post"], {post.id for post in posts}),
            follows=follows,
            removed_follows=[pair for pair in asked if pair not in found],
            events=events,
            position=done.at(source),
            more=bool(done.target),
        )

    def _users(self, connection: Connection, ids: list[str]) -> Sequence[Any]:
        query = f"SELECT id::text, external_id FROM {self._schema['feed_users']} WHERE id = ANY(%s::uuid[])"
        return connection.exec_driver_sql(query, (ids,)).all() if ids else []

    def _posts(self, connection: Connection, ids: list[str]) -> Sequence[Any]:
        query = (
            f"SELECT {POST_COLUMNS} FROM {self._schema['feed_posts']} "
            f"WHERE id = ANY(%s::uuid[]) AND {POST_READABLE} ORDER BY seq"
        )
        return connection.exec_driver_sql(query, (ids,)).all() if ids else []

    def _follows(self, connection: Connection, pairs: list[tuple[str, str]]) -> Sequence[Any]:
        query = (
            f"SELECT follower_id::text, followee_id::text FROM {self._schema['feed_follows']} "
            "JOIN unnest(%s::uuid[], %s::uuid[]) AS given (follower_id, followee_id) USING (follower_id, followee_id)"
        )
        return (
            connection.exec_driver_sql(query, tuple(map(list, zip(*pairs, strict=True)))).all()
            if pairs
            else []
        )

    def _number_posts(self, condition: str, *values: object) -> None:
        """Give numbers to posts of an adopted table that have none yet. Our own table numbers its posts itself."""
        view = self._schema["feed_posts"]
        with transaction(self._engine, self._load_budget) as connection:
            missing = f"FROM {view} WHERE seq IS NULL AND {condition}"
            if connection.exec_driver_sql(f"SELECT EXISTS (SELECT {missing})", values).scalar_one():
                connection.exec_driver_sql(
                    f"INSERT INTO {self._schema['feed_post_number']} (post_id) SELECT id {missing} "
                    "ORDER BY created_at ON CONFLICT DO NOTHING",
                    values,
                )


def _snapshot(connection: Connection) -> tuple[str, int]:
    """What this transaction sees, and the oldest transaction that was still running."""
    text: str = connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
    return text, int(text.partition(":")[0])


def _missing(asked: dict[Any, None], found: set[UUID]) -> list[UUID]:
    return [one for key in asked if (one := UUID(key)) not in found]


def _event_from_row(row: Any) -> StoredInteraction:
    xid, seq, user, post, kind, occurred_at, event, request = row
    return StoredInteraction(
        seq,
        xid,
        Interaction(UUID(user), UUID(post), kind, occurred_at, UUID(event) if event else None, request),
    )
