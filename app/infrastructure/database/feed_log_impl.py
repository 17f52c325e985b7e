"""FeedLog over PostgreSQL: the whole feed from one snapshot, then the rows that became visible after it."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.domain.entities import Post, User
from app.domain.errors import PositionExpired
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.feed_log import FeedChanges, FeedChecksums, FeedSnapshot, LogPosition
from app.domain.repositories.interaction_repository import RemovedEvents, UserAndPost
from app.infrastructure.database.adoption.keys import add_keys
from app.infrastructure.database.adoption.warnings import adoption_warnings
from app.infrastructure.database.connection import DEFAULT_BUDGET_SECONDS, IS_READ_ONLY, transaction
from app.infrastructure.database.control_repository_impl import read_controls
from app.infrastructure.database.full_read import read_feed
from app.infrastructure.database.impression_repository_impl import (
    PAGE_COLUMNS,
    page_from_row,
    read_newest_pages,
)
from app.infrastructure.database.interaction_repository_impl import (
    EVENT_COLUMNS,
    event_from_row,
    read_events_of,
)
from app.infrastructure.database.post_repository_impl import read_posts
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName
from app.infrastructure.database.user_rows import read_users
from app.infrastructure.database.view_checksums import has_complete_change_capture, read_checksums

MAX_ROWS_PER_READ: Final = 20_000
"""Rows of each table in one result of `read_changes`; further rows follow with the next call."""
MAX_ROWS_PER_PURGE: Final = 10_000
"""Rows removed in one transaction, so that no other transaction waits long for it."""


_TABLES: Final = ("feed_change", "user_interaction", "impression")


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """Which rows of the log were returned; `LogPosition.detail` holds it as JSON.

    A snapshot of PostgreSQL ("xmin:xmax:running,...") defines which transactions are visible. New rows are those that
    a later snapshot shows and the previous one does not, so late commits are never missed and no row comes twice.

    If the new rows exceed one result, `target` keeps the later snapshot until all its rows are read: first the
    outbox `feed_change`, then `user_interaction`, whose events may need posts of the outbox, then `impression`. The
    first two are read in the order (xid, seq), the last one in that of xid.
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
        following = _TABLES[_TABLES.index(self.table) + 1 :]
        if following:
            return ReadProgress(self.delivered, self.target, following[0])
        return ReadProgress(delivered=self.target)


@dataclass(eq=False)
class SqlFeedLog:
    """FeedLog over the views, user_interaction and feed_change, through their (xid, seq) indexes."""

    engine: Engine
    schema: SchemaName = PUBLIC_SCHEMA
    budget_seconds: float = DEFAULT_BUDGET_SECONDS
    load_budget_seconds: float = 300.0
    max_rows_per_read: int = MAX_ROWS_PER_READ

    def source(self) -> str:
        """Return the identity of cluster, database and table; a restored or re-created one has another."""
        with transaction(self.engine, self.budget_seconds, snapshot=True) as connection:
            return self._source(connection)

    def read_all(self) -> FeedSnapshot:
        """Read the whole feed from one snapshot. 336k events take about 1.5 s, five million about 15 s."""
        self._number_posts("true")
        with transaction(self.engine, self.load_budget_seconds, snapshot=True) as connection:
            progress = ReadProgress(_current_snapshot(connection))
            query = f"SELECT seq FROM {self.schema['user_interaction']} WHERE xid >= %s::text::xid8"
            recent = connection.exec_driver_sql(query, (progress.xmin,))
            return FeedSnapshot(
                dataset=read_feed(connection, self.schema),
                position=progress.to_position(self._source(connection)),
                recent=frozenset(recent.scalars()),
                controls=self._all_controls(connection),
                pages=read_newest_pages(connection, self.schema),
            )

    def read_changes(self, since: LogPosition) -> FeedChanges:
        """Read the rows that became visible after `since`, at most `max_rows_per_read` of each table.

        Events have no metadata, because the ranking does not use it. Raises PositionExpired, StorageUnavailable.
        """
        progress = ReadProgress.from_position(since)
        with transaction(self.engine, self.budget_seconds, snapshot=True) as connection:
            if self._is_purged_after(connection, progress):
                raise PositionExpired("the outbox was purged beyond this position; read the whole feed again")
            if not progress.target:
                progress = replace(progress, target=_current_snapshot(connection))
            columns = "entity, key, other, event_seqs"
            changes, progress = self._new_rows(connection, progress, "feed_change", columns)
            rows, progress = self._new_rows(connection, progress, "user_interaction", EVENT_COLUMNS)
            events = [event_from_row(*row) for row in rows]
            shown, progress = self._new_pages(connection, progress)
            return FeedChanges(
                **self._current_rows(connection, changes),
                events=sorted(events, key=lambda event: event.seq),
                position=progress.to_position(since.source),
                more=bool(progress.target),
                is_read_only=connection.exec_driver_sql(f"SELECT {IS_READ_ONLY}").scalar_one(),
                pages=[page_from_row(*row) for row in shown],
            )

    def can_resume_from(self, since: LogPosition, events: int) -> bool:
        """As in FeedLog. Counts all events: 336k take about 60 ms."""
        progress = ReadProgress.from_position(since)
        with transaction(self.engine, self.load_budget_seconds, snapshot=True) as connection:
            query = (
                f"SELECT count(*) FROM {self.schema['user_interaction']} "
                "WHERE pg_visible_in_snapshot(xid, %s::text::pg_snapshot)"
            )
            return bool(
                self._source(connection) == since.source
                and not self._is_purged_after(connection, progress)
                and has_complete_change_capture(connection, self.schema)
                and connection.exec_driver_sql(query, (progress.delivered,)).scalar_one() == events
            )

    def has_complete_change_capture(self) -> bool:
        """As in FeedLog; reads the definitions of the views and the triggers from the catalogue."""
        with transaction(self.engine, self.budget_seconds, snapshot=True) as connection:
            return has_complete_change_capture(connection, self.schema)

    def checksums(self) -> FeedChecksums:
        """As in FeedLog; numbers the posts of an adopted table first."""
        self._number_posts("true")
        with transaction(self.engine, self.load_budget_seconds, snapshot=True) as connection:
            return read_checksums(connection, self.schema)

    def warnings(self) -> Sequence[str]:
        """As in FeedLog; reads the catalogue if a view is empty."""
        with transaction(self.engine, self.budget_seconds, snapshot=True) as connection:
            return adoption_warnings(connection, self.schema)

    def purge(self, older_than: timedelta) -> int:
        """As in FeedLog. Removes rows in several transactions; concurrent purges do not wait for each other.

        The SQL function has the rights of the schema's owner, because the service's role cannot delete from the outbox.
        """
        purged = 0
        while True:
            with transaction(self.engine, self.load_budget_seconds) as connection:
                rows: int = connection.exec_driver_sql(
                    f"SELECT {self.schema['feed_change_sweep']}(make_interval(secs => %s), %s)",
                    (older_than.total_seconds(), MAX_ROWS_PER_PURGE),
                ).scalar_one()
            purged += rows
            if rows < MAX_ROWS_PER_PURGE:
                return purged

    def posts_created_since(self, created: float) -> Sequence[Post]:
        """As in FeedLog; `created` is in seconds since the epoch."""
        created_at = datetime.fromtimestamp(created, UTC)
        self._number_posts("created_at >= %s", created_at)
        with transaction(self.engine, self.load_budget_seconds, snapshot=True) as connection:
            posts = read_posts(connection, self.schema, "created_at >= %s", created_at)
            return sorted(posts, key=lambda post: post.created_at)

    def users(self, ids: Sequence[UUID]) -> Sequence[User]:
        """As in FeedLog."""
        with transaction(self.engine, self.load_budget_seconds, snapshot=True) as connection:
            return read_users(connection, self.schema, ids)

    def _source(self, connection: Connection) -> str:
        database, table, may_read_cluster = connection.exec_driver_sql(
            "SELECT oid, to_regclass(%s)::oid, has_function_privilege('pg_control_system()', 'EXECUTE') "
            "FROM pg_database WHERE datname = current_database()",
            (self.schema["user_interaction"],),
        ).one()
        cluster = "-"
        if may_read_cluster:
            cluster = connection.exec_driver_sql(
                "SELECT system_identifier FROM pg_control_system()"
            ).scalar_one()
        return f"{cluster}/{database}/{self.schema.plain}/{table}"

    def _is_purged_after(self, connection: Connection, progress: ReadProgress) -> bool:
        """Return whether outbox rows were removed that this reader may not have read.

        A transaction number that lies ahead of this cluster came with a dump of another one and is ignored.
        """
        query = (
            "SELECT xid >= %s::text::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) "
            f"FROM {self.schema['feed_change_swept']}"
        )
        return bool(connection.exec_driver_sql(query, (progress.xmin,)).scalar_one_or_none())

    def _new_rows(
        self, connection: Connection, progress: ReadProgress, table: str, columns: str
    ) -> tuple[list[Any], ReadProgress]:
        """Return new rows (xid, seq, *columns) of `table`, and the progress after them.

        There are none if `progress` has not reached the table.
        """
        if progress.table != table:
            return [], progress
        statement = (
            f"SELECT xid::text::bigint, seq, {columns} FROM {self.schema[table]} "
            "WHERE xid >= %s::text::xid8 AND (xid, seq) > (%s::text::xid8, %s) "
            "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
            "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid, seq LIMIT %s"
        )
        limit = self.max_rows_per_read
        after = (progress.xmin, str(progress.last_xid), progress.last_seq)
        parameters = (*after, progress.delivered, progress.target, limit + 1)
        rows: list[Any] = list(connection.exec_driver_sql(statement, parameters))
        if len(rows) <= limit:
            return rows, progress.after_table()
        last_xid, last_seq = rows[limit - 1][:2]
        return rows[:limit], replace(progress, last_xid=last_xid, last_seq=last_seq)

    def _new_pages(self, connection: Connection, progress: ReadProgress) -> tuple[list[Any], ReadProgress]:
        """Return new rows (PAGE_COLUMNS) of `impression`, and the progress after them. A transaction is not divided."""
        if progress.table != "impression":
            return [], progress
        statement = (
            f"SELECT xid::text::bigint, {PAGE_COLUMNS} FROM {self.schema['impression']} "
            "WHERE xid >= %s::text::xid8 AND xid > %s::text::xid8 "
            "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
            "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid FETCH FIRST %s ROWS WITH TIES"
        )
        limit = self.max_rows_per_read
        parameters = (progress.xmin, str(progress.last_xid), progress.delivered, progress.target, limit)
        rows: list[Any] = list(connection.exec_driver_sql(statement, parameters))
        pages = [row[1:] for row in rows]
        if len(rows) < limit:
            return pages, progress.after_table()
        return pages, replace(progress, last_xid=rows[-1][0])

    def _current_rows(self, connection: Connection, changes: list[Any]) -> dict[str, Any]:
        """Return the fields of FeedChanges but the events: the current rows of the keys in `changes`.

        A key that the views do not show is removed.
        """
        user_ids: dict[UUID, int] = {}  # the number of the latest change
        post_ids: dict[UUID, int] = {}
        pairs: dict[tuple[UUID, UUID], int] = {}  # of follower and followee: the number of the latest change
        for _, seq, name, key, other, _ in changes:
            if name == "user":
                user_ids[key] = max(seq, user_ids.get(key, 0))
            elif name == "post":
                post_ids[key] = max(seq, post_ids.get(key, 0))
            elif name == "follow":
                pairs[key, other] = max(seq, pairs.get((key, other), 0))
        users, posts, follows = [], [], []
        if user_ids:
            users = read_users(connection, self.schema, list(user_ids))
        if post_ids:
            posts = read_posts(connection, self.schema, "id = ANY(%s)", list(post_ids))
        if pairs:
            query = (
                f"SELECT follower_id, followee_id FROM {self.schema['feed_follows']} "
                "JOIN unnest(%s, %s) AS given (follower_id, followee_id) USING (follower_id, followee_id)"
            )
            keys = tuple(map(list, zip(*pairs, strict=True)))
            follows = [tuple(row) for row in connection.exec_driver_sql(query, keys)]
        return {
            "users": users,
            "removed_users": list(user_ids.keys() - {user.id for user in users}),
            "user_seqs": user_ids,
            "posts": posts,
            "removed_posts": list(post_ids.keys() - {post.id for post in posts}),
            "post_seqs": post_ids,
            "follows": follows,
            "removed_follows": list(pairs.keys() - set(follows)),
            "follow_seqs": pairs,
            "removed_events": self._removed_events(connection, changes),
            "controls": self._changed_controls(connection, changes),
        }

    def _all_controls(self, connection: Connection) -> list[UserControls]:
        """Return the controls of all users. A schema that an earlier version migrated has none."""
        query = "SELECT to_regclass(%s) IS NULL"
        if connection.exec_driver_sql(query, (self.schema["user_feedback"],)).scalar_one():
            return []
        return read_controls(connection, self.schema, None)

    def _changed_controls(self, connection: Connection, changes: list[Any]) -> list[UserControls]:
        """Return the current controls of the users whose controls changed.

        The number of an update or a removal is in the outbox, because no row of user_feedback has it.
        """
        numbers: dict[UUID, int] = {}
        for _, _, entity, user_id, _, drawn in changes:
            if entity == "control":
                numbers[user_id] = max([numbers.get(user_id, 0), *(drawn or ())])
        return [
            replace(controls, seq=max(controls.seq, numbers[controls.user_id]))
            for controls in read_controls(connection, self.schema, list(numbers))
        ]

    def _removed_events(self, connection: Connection, changes: list[Any]) -> list[RemovedEvents]:
        """Return the removed events in `changes` by user and post. Raises PositionExpired after a TRUNCATE."""
        seqs: dict[UserAndPost, list[int]] = defaultdict(list)
        for _, _, entity, user_id, post_id, event_seqs in changes:
            if entity == "event":
                if event_seqs is None:
                    raise PositionExpired("all events were removed; read the whole feed again")
                seqs[user_id, post_id] += event_seqs
        remaining = read_events_of(connection, self.schema, list(seqs))
        return [RemovedEvents(*pair, removed, remaining[pair]) for pair, removed in seqs.items()]

    def _number_posts(self, condition: str, *values: datetime) -> None:
        """Number the posts of an adopted table that have no `seq` yet. Our own table numbers its posts itself.

        Rows whose keys are no uuids get their ids first; `values` is the time of the earliest such post, if any.
        """
        with transaction(self.engine, self.load_budget_seconds) as connection:
            if connection.exec_driver_sql(f"SELECT {IS_READ_ONLY}").scalar_one():
                return
            add_keys(connection, self.schema, *values)
            unnumbered = f"FROM {self.schema['feed_posts']} WHERE seq IS NULL AND {condition}"
            if connection.exec_driver_sql(f"SELECT EXISTS (SELECT {unnumbered})", values).scalar_one():
                connection.exec_driver_sql(
                    f"INSERT INTO {self.schema['feed_post_number']} (post_id) SELECT id {unnumbered} "
                    "ORDER BY created_at ON CONFLICT DO NOTHING",
                    values,
                )


def _current_snapshot(connection: Connection) -> str:
    text: str = connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
    return text
