"""A feed file on its way into the database that the settings name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from rich.progress import Progress
from sqlalchemy import Engine, text

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.bulk_load import (
    LoadCounts,
    LoadRejected,
    ShiftConflict,
    TimeShift,
    load_feed,
    stored_shift,
)
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.infrastructure.database.schema import SchemaName
from app.shared.command_line import fail
from app.shared.exceptions import ConfigurationError
from data.feed_files.reader import FeedFile
from data.feed_files.skipped_rows import SkippedRows
from data.schemas import FeedFileError


@dataclass(frozen=True, slots=True)
class FeedDatabase:
    """Where feeds are loaded into."""

    engine: Engine
    schema: SchemaName

    def is_empty(self) -> bool:
        """Whether there is no post yet."""
        with self.engine.connect() as connection:
            return not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {self.schema['feed_posts']})"))  # noqa: S608

    def load(self, feed: FeedFile, *, to_now: float | None, progress_bars: Progress) -> LoadCounts:
        """Add what is new; with `to_now` (the time now) moved so that the last interaction is then.

        A feed that was moved before is moved by the same amount again. Raises LoadRejected and StorageUnavailable,
        with nothing written.
        """
        shift = self._shift(feed, to_now) if to_now is not None else None
        try:
            return self._add(feed, shift, progress_bars)
        except ShiftConflict as other:  # by a load that began beside this one
            return self._add(feed, other.before, progress_bars)

    def _add(self, feed: FeedFile, shift: TimeShift | None, progress_bars: Progress) -> LoadCounts:
        tables = feed.tables(shift.seconds if shift else 0.0)
        totals = {
            "users": len(tables.users.key),
            "posts": len(tables.posts.key),
            "follows": len(tables.follows.follower),
            "interactions": len(tables.interactions.user),
        }
        bars = {name: progress_bars.add_task(name, total=total) for name, total in totals.items()}

        def progress(table: str, rows: int) -> None:
            if table in bars:
                progress_bars.update(bars[table], completed=rows)

        return load_feed(self.engine, tables, self.schema, remember=shift, progress=progress)

    def _shift(self, feed: FeedFile, now: float) -> TimeShift | None:
        if len(feed.events.time) == 0:
            return None
        name = data_set_name(feed)
        before = stored_shift(self.engine, self.schema, name)
        return TimeShift(name, now - float(feed.events.time[-1]) / 1e6 if before is None else before)


def data_set_name(feed: FeedFile) -> str:
    """What a data set is remembered by: its first event. So it is known again when it is longer or elsewhere."""
    time = feed.events.time
    earliest = feed.event_ids()[: np.searchsorted(time, time[0], side="right")]
    return str(UUID(bytes=min(key.tobytes() for key in earliest)))


@contextmanager
def feed_database() -> Iterator[FeedDatabase]:
    """The database of DATABASE_URL, else the embedded one; its tables are made where there are none.

    Raises ConfigurationError, EmbeddedUnavailable, StorageUnavailable.
    """
    settings = read_settings()
    with cli_engine(settings) as engine:
        schema = SchemaName(settings.db_schema)
        with engine.connect() as connection:
            ready = connection.scalar(text("SELECT to_regclass(:name)"), {"name": schema["feed_import"]})
        if ready is None:
            _migrate(engine, schema)
        yield FeedDatabase(engine, schema)


def _migrate(engine: Engine, schema: SchemaName) -> None:
    from app.infrastructure.database.migrate import MigrationRejected, migrate

    try:
        migrate(engine, schema)
    except MigrationRejected as error:
        raise ConfigurationError(str(error)) from None


def run(prog: str, command: Callable[[], None]) -> int:
    """Run a command; bad input, and a database that is away, give one line and exit code 2."""
    try:
        command()
    except (ConfigurationError, FeedFileError, LoadRejected, StorageUnavailable) as error:
        return fail(prog, error)
    except EmbeddedUnavailable as error:
        return fail(prog, f"DATABASE_URL is not set, and {error}")
    return 0


def summary(counts: LoadCounts, skipped_rows: Sequence[SkippedRows]) -> str:
    """What was added, and what of the files was left out, in words."""
    added = (
        f"added {counts.users:,} users, {counts.posts:,} posts, {counts.follows:,} follows, "
        f"{counts.interactions:,} interactions"
    )
    if counts == LoadCounts(0, 0, 0, 0):
        added = "nothing new"
    return f"{added}; left out {', '.join(map(str, skipped_rows))}" if skipped_rows else added
