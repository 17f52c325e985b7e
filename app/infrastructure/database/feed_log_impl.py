"""FeedLog over PostgreSQL: the whole feed from one snapshot, then the rows that became visible after it."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from app.domain.entities import Post
from app.domain.errors import PositionExpired, StorageUnavailable
from app.domain.feed.dataset import NO_PARTS, NO_USERS
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.row_checksums import ChecksumSums, UnchangedRows
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.feed_log import (
    FeedChanges,
    FeedSnapshot,
    LogPosition,
    RowKeys,
    StoredRows,
)
from app.infrastructure.database.adoption.keys import add_keys
from app.infrastructure.database.adoption.warnings import adoption_warnings
from app.infrastructure.database.change_capture import has_complete_change_capture
from app.infrastructure.database.changed_rows import keys_of, read_present_rows
from app.infrastructure.database.connection import DEFAULT_BUDGET_SECONDS, IS_READ_ONLY, transaction
from app.infrastructure.database.control_repository_impl import read_all_controls
from app.infrastructure.database.event_files import EventFiles
from app.infrastructure.database.full_read import read_feed, read_users, read_users_into
from app.infrastructure.database.impression_repository_impl import (
    PAGE_COLUMNS,
    page_from_row,
    read_newest_pages,
)
from app.infrastructure.database.interaction_repository_impl import EVENT_COLUMNS
from app.infrastructure.database.live_post_query import choose_live_posts
from app.infrastructure.database.post_repository_impl import read_posts
from app.infrastructure.database.row_checksums import read_control_checksums, read_different_rows
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName

MAX_ROWS_PER_READ: Final = 2_000
"""Rows of each table in one result of `read_changes`; further rows follow with the next call.

They have to be read within the time budget of a statement: PostgreSQL took up to 50 us per row on a busy machine.
"""
_BEFORE_EVERY_SEQ: Final = -(2**63)
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

    @property
    def last_row(self) -> tuple[str, int]:
        """(xid, seq) of the last row that was returned; of no row if the next one is the first of `table`.

        It is the only lower bound of a statement: with a second one, PostgreSQL may begin at the start of the index.
        """
        return (str(self.last_xid), self.last_seq) if self.last_xid else (self.xmin, _BEFORE_EVERY_SEQ)

    def after_table(self) -> "ReadProgress":
        """The progress when all rows of `table` up to `target` were returned."""
        following = _TABLES[_TABLES.index(self.table) + 1 :]
        if following:
            return ReadProgress(self.delivered, self.target, following[0])
        return ReadProgress(delivered=self.target)


@dataclass(eq=False)
class SqlFeedLog:
    """FeedLog over the views, user_interaction and feed_change, through their (xid, seq) indexes.

    lock_seconds       time to wait for a locked table, after which StorageUnavailable is raised; None: the whole budget
    max_rows_per_read  of each table. After a failed read half as many, because the database may be too slow to read
                       them within the budget; after each successful one twice as many, up to the number given here
    event_folder       of the files that `read_into` writes; None: that of temporary files
    """

    engine: Engine
    schema: SchemaName = PUBLIC_SCHEMA
    budget_seconds: float = DEFAULT_BUDGET_SECONDS
    load_budget_seconds: float = 300.0
    lock_seconds: float | None = None
    max_rows_per_read: int = MAX_ROWS_PER_READ
    event_folder: Path | None = None
    _rows_per_read: int = field(init=False)

    def __post_init__(self) -> None:
        self._rows_per_read = self.max_rows_per_read

    def source(self) -> str:
        """Return the identity of cluster, database and table; a restored or re-created one has another."""
        with self._reading(self.budget_seconds) as connection:
            return read_source(connection, self.schema)

    def read_all(self, *, embeddings: bool = True) -> FeedSnapshot:
        """As in FeedLog. 336k events take about 1.5 s, five million about 15 s."""
        return self._read_everything(None, None, embeddings=embeddings)

    def read_into(
        self, state: FeedState, live_posts: LivePostLimits | None = None, *, embeddings: bool = True
    ) -> FeedSnapshot:
        """As in FeedLog; the events wait in files."""
        return self._read_everything(state, live_posts, embeddings=embeddings)

    def _read_everything(
        self, state: FeedState | None, live_posts: LivePostLimits | None, *, embeddings: bool
    ) -> FeedSnapshot:
        """As `read_into` for a state, else as `read_all`."""
        self.number_posts()
        files = None if state is None else EventFiles.in_folder(self.event_folder)
        with self._reading(self.load_budget_seconds) as connection:
            progress = ReadProgress(_current_snapshot(connection))
            query = f"SELECT seq FROM {self.schema['user_interaction']} WHERE xid >= %s::text::xid8"
            recent = connection.exec_driver_sql(query, (progress.xmin,))
            own_tables = has_complete_change_capture(connection, self.schema)
            chosen = None
            if state is None:
                users, of_users = read_users(connection, self.schema, own_tables=own_tables)
                user_rows = UuidIndex(users.key)
            else:
                of_users = read_users_into(connection, self.schema, state, own_tables=own_tables)
                users, user_rows = NO_USERS, state.user_rows
                if live_posts is not None and state.counting is not None:
                    chosen = choose_live_posts(
                        connection, self.schema, state, live_posts, state.counting, own_tables=own_tables
                    )
            rows = read_feed(
                connection,
                self.schema,
                users,
                user_rows,
                of_users,
                chosen,
                own_tables=own_tables,
                embeddings=embeddings,
                event_files=files,
            )
            return FeedSnapshot(
                dataset=rows.dataset,
                position=progress.to_position(read_source(connection, self.schema)),
                recent=frozenset(recent.scalars()),
                controls=read_all_controls(connection, self.schema),
                pages=read_newest_pages(connection, self.schema),
                checksums=replace(rows.checksums, controls=read_control_checksums(connection, self.schema)),
                event_checksums=rows.event_checksums,
                complete_from=None if chosen is None else chosen.since,
                event_parts=NO_PARTS if files is None else files.parts(),
            )

    def read_changes(self, since: LogPosition) -> FeedChanges:
        """Read the rows that became visible after `since`, at most `max_rows_per_read` of each table.

        Events have no metadata, because the ranking does not use it. Raises PositionExpired, StorageUnavailable.
        """
        try:
            changes = self._read_changes(since)
        except StorageUnavailable:
            self._rows_per_read = max(self._rows_per_read // 2, 1)
            raise
        self._rows_per_read = min(self._rows_per_read * 2, self.max_rows_per_read)
        return changes

    def _read_changes(self, since: LogPosition) -> FeedChanges:
        progress = ReadProgress.from_position(since)
        with self._reading(self.budget_seconds) as connection:
            if is_purged_after(connection, self.schema, progress.xmin):
                raise PositionExpired("the outbox was purged beyond this position; read the whole feed again")
            if not progress.target:
                progress = replace(progress, target=_current_snapshot(connection))
            columns = "entity, key, other, event_seqs"
            changes, progress = self._new_rows(connection, progress, "feed_change", columns)
            rows, progress = self._new_rows(connection, progress, "user_interaction", EVENT_COLUMNS)
            shown, progress = self._new_pages(connection, progress)
            present = read_present_rows(connection, self.schema, keys_of(changes), rows)
            return replace(
                present,
                position=progress.to_position(since.source),
                more=bool(progress.target),
                is_read_only=connection.exec_driver_sql(f"SELECT {IS_READ_ONLY}").scalar_one(),
                pages=[*present.pages, *(page_from_row(*row) for row in shown)],
            )

    def read_rows(self, keys: RowKeys, position: LogPosition) -> FeedChanges:
        """As in FeedLog."""
        with self._reading(self.load_budget_seconds) as connection:
            changes = read_present_rows(connection, self.schema, keys, [])
            return replace(changes, position=position)

    def can_resume_from(self, since: LogPosition) -> bool:
        """As in FeedLog. Its cost does not depend on the length of the log."""
        progress = ReadProgress.from_position(since)
        with self._reading(self.budget_seconds) as connection:
            return bool(
                read_source(connection, self.schema) == since.source
                and not is_purged_after(connection, self.schema, progress.xmin)
                and has_complete_change_capture(connection, self.schema)
            )

    def has_complete_change_capture(self) -> bool:
        """As in FeedLog; reads the definitions of the views and the triggers from the catalogue."""
        with self._reading(self.budget_seconds) as connection:
            return has_complete_change_capture(connection, self.schema)

    def different_rows(
        self, known: ChecksumSums, unchanged: Callable[[], Mapping[str, UnchangedRows]]
    ) -> StoredRows:
        """As in FeedLog; numbers the posts of an adopted table first."""
        self.number_posts()
        with self._reading(self.load_budget_seconds) as connection:
            own_tables = has_complete_change_capture(connection, self.schema)
            return read_different_rows(connection, self.schema, known, unchanged, own_tables=own_tables)

    def warnings(self) -> Sequence[str]:
        """As in FeedLog; reads the catalogue if a view is empty."""
        with self._reading(self.budget_seconds) as connection:
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
        self.number_posts("created_at >= %s", created_at)
        with self._reading(self.load_budget_seconds) as connection:
            posts = read_posts(connection, self.schema, "created_at >= %s", created_at)
            return sorted(posts, key=lambda post: post.created_at)

    def _new_rows(
        self, connection: Connection, progress: ReadProgress, table: str, columns: str
    ) -> tuple[list[Any], ReadProgress]:
        """Return new rows (xid, seq, *columns) of `table`, and the progress after them.

        There are none if `progress` has not reached the table.
        """
        if progress.table != table:
            return [], progress
        statement = (
            f"SELECT xid::text::bigint AS number, seq, {columns} FROM {self.schema[table]} "
            "WHERE (xid, seq) > (%s::text::xid8, %s) "
            "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
            "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid, seq LIMIT %s"
        )
        limit = self._rows_per_read
        parameters = (*progress.last_row, progress.delivered, progress.target, limit + 1)
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
            f"SELECT xid::text::bigint AS number, {PAGE_COLUMNS} FROM {self.schema['impression']} "
            "WHERE xid >= %s::text::xid8 AND xid > %s::text::xid8 "
            "AND NOT pg_visible_in_snapshot(xid, %s::text::pg_snapshot) "
            "AND pg_visible_in_snapshot(xid, %s::text::pg_snapshot) ORDER BY xid FETCH FIRST %s ROWS WITH TIES"
        )
        limit = self._rows_per_read
        parameters = (progress.xmin, str(progress.last_xid), progress.delivered, progress.target, limit)
        rows: list[Any] = list(connection.exec_driver_sql(statement, parameters))
        pages = [row[1:] for row in rows]
        if len(rows) < limit:
            return pages, progress.after_table()
        return pages, replace(progress, last_xid=rows[-1][0])

    def _reading(self, budget_seconds: float) -> AbstractContextManager[Connection]:
        """A transaction that reads from one snapshot."""
        return transaction(self.engine, budget_seconds, snapshot=True, lock_seconds=self.lock_seconds)

    def number_posts(self, condition: str = "true", *values: datetime) -> None:
        """Number the posts of an adopted table that have no `seq` yet. Our own table numbers its posts itself.

        Rows whose keys are no uuids get their ids first; `values` is the time of the earliest such post, if any.
        """
        with transaction(self.engine, self.load_budget_seconds, lock_seconds=self.lock_seconds) as connection:
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


def read_source(connection: Connection, schema: SchemaName) -> str:
    """The identity of cluster, database and table; see `SqlFeedLog.source`."""
    database, table, may_read_cluster = connection.exec_driver_sql(
        "SELECT oid, to_regclass(%s)::oid, has_function_privilege('pg_control_system()', 'EXECUTE') "
        "FROM pg_database WHERE datname = current_database()",
        (schema["user_interaction"],),
    ).one()
    cluster = "-"
    if may_read_cluster:
        cluster = connection.exec_driver_sql("SELECT system_identifier FROM pg_control_system()").scalar_one()
    return f"{cluster}/{database}/{schema.plain}/{table}"


def is_purged_after(connection: Connection, schema: SchemaName, xmin: str) -> bool:
    """Whether outbox rows were removed that a reader may lack: one that has read every transaction below `xmin`.

    A transaction number that lies ahead of this cluster came with a dump of another one and is ignored.
    """
    query = (
        "SELECT xid >= %s::text::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) "
        f"FROM {schema['feed_change_swept']}"
    )
    return bool(connection.exec_driver_sql(query, (xmin,)).scalar_one_or_none())
