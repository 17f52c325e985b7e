"""Writes the next run of an export: the interactions that earlier runs lack, and the present tables."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.errors import PositionExpired
from app.domain.feed.dataset import NO_TIME, microseconds
from app.domain.repositories.control_repository import UserControls
from app.infrastructure.database import full_read, log_export
from app.infrastructure.database.change_capture import has_complete_change_capture
from app.infrastructure.database.connection import transaction
from app.infrastructure.database.control_repository_impl import read_all_controls
from app.infrastructure.database.embeddings import SENT_EMBEDDING, embedding_content
from app.infrastructure.database.feed_log_impl import SqlFeedLog, read_source
from app.infrastructure.database.full_read import unix_microseconds
from app.infrastructure.database.impression_repository_impl import read_newest_pages
from app.shared.atomic_file import DRAFT_PREFIX
from app.shared.progress import Progress
from data.log_export import arrow_tables
from data.log_export.arrow_tables import table_of, write_file
from data.log_export.manifest import (
    NAME,
    PATH_FORM,
    ExportedFile,
    ExportError,
    Manifest,
    Table,
    is_export,
    read_manifest,
)

_LOCK: Final = ".lock"
_NEW_FOLDER: Final = "export to a new folder"
Add = Callable[[Any], None]
"""Adds an Arrow table to the file that is being written."""


def export_log(log: SqlFeedLog, folder: Path, since: int | None, progress: Progress) -> tuple[Manifest, int]:
    """Write the next run into `folder`, which is new or an export of the same database.

    All reads use one snapshot of the database. Returns the manifest, and the number of interactions that were added.
    An interrupted run leaves files that no manifest names; the next run removes them.

    since  interactions up to this number are not exported; the same in each run, None: as before

    Raises ExportError, StorageUnavailable and OSError.
    """
    log.number_posts()
    folder.mkdir(parents=True, exist_ok=True)
    _previous(folder, since)  # before the lock adds a file to a folder that is no export
    with _locked(folder):
        previous = _previous(folder, since)
        with transaction(log.engine, log.load_budget_seconds, snapshot=True) as connection:
            source = read_source(connection, log.schema)
            if previous is not None and previous.source != source:
                raise ExportError(folder, f"was exported from another database; {_NEW_FOLDER}")
            _remove_unused_files(folder, previous)
            run = _Run(connection, log, folder, 1 if previous is None else previous.run + 1, progress)
            try:
                added = log_export.read_range(
                    connection,
                    log.schema,
                    since=(since or 0) if previous is None else previous.since,
                    first_xid=0 if previous is None else previous.below_xid,
                )
            except PositionExpired as error:
                raise ExportError(folder, f"cannot be continued: {error}; {_NEW_FOLDER}") from None
            interactions = run.write_interactions(added)
            changed = run.write_changed(added.changed)
            manifest = Manifest(
                source=source,
                since=added.since,
                below_xid=added.end_xid,
                last_seq=max(run.last_seq, previous.last_seq if previous else added.since),
                run=run.number,
                tables=run.write_tables(),
                interactions=(*(previous.interactions if previous else ()), *interactions),
                changed=(*(previous.changed if previous else ()), *changed),
            )
        manifest.write(folder)
    return manifest, sum(file.rows for file in interactions)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise ExportError(folder, "another export writes to this folder; wait until it has ended") from None


def _previous(folder: Path, since: int | None) -> Manifest | None:
    """The manifest of the last run; None for the first one."""
    if not is_export(folder):
        if others := sorted(set(_files(folder)) - set(_own_files(folder))):
            raise ExportError(folder, f"contains {others[0].name} and no {NAME}; {_NEW_FOLDER}")
        return None
    previous = read_manifest(folder)
    if since not in (None, previous.since):
        raise ExportError(
            folder,
            f"was begun with --since {previous.since}, not {since}; leave out --since, or {_NEW_FOLDER}",
        )
    return previous


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path != folder / _LOCK]


def _own_files(folder: Path) -> list[Path]:
    """The files that this module writes, except the manifest."""
    return [
        path
        for path in _files(folder)
        if path.name.startswith(DRAFT_PREFIX) or re.match(PATH_FORM, path.relative_to(folder).as_posix())
    ]


def _remove_unused_files(folder: Path, manifest: Manifest | None) -> None:
    """Remove the files of interrupted runs and replaced tables. Readers of the last run still find its files."""
    used = {folder / file.path for file in manifest.files} if manifest else set()
    for path in _own_files(folder):
        if path not in used:
            path.unlink()


@dataclass(slots=True)
class _Run:
    """One run: it writes files named by its number. `last_seq` is the largest number of an interaction so far."""

    connection: Connection
    log: SqlFeedLog
    folder: Path
    number: int
    progress: Progress
    last_seq: int = 0
    _newest_us: int = field(default=NO_TIME, init=False)

    def write_interactions(self, added: log_export.ExportRange) -> list[ExportedFile]:
        """One file for each day of receipt."""
        days = log_export.read_days(self.connection, self.log.schema, added)
        total, done = sum(count for _, count in days), 0
        files = []
        for day, count in days:
            files.append(self._write_day(added, day))
            done += count
            self.progress("interactions", done, total)
        return [file for file in files if file.rows]

    def _write_day(self, added: log_export.ExportRange, day: date) -> ExportedFile:
        self._newest_us = NO_TIME

        def write(add: Add) -> None:
            log_export.copy_events(
                self.connection, self.log.schema, added, day, lambda page: add(self._interactions(page))
            )

        file = self._write(f"interactions/day={day}", arrow_tables.INTERACTIONS, write)
        return file.model_copy(update={"newest_us": self._newest_us})

    def _interactions(self, page: NDArray[np.void]) -> Any:
        time_us, seq = unix_microseconds(page["time"]), page["seq"].astype(np.int64)
        self.last_seq = max(self.last_seq, int(seq.max()))
        self._newest_us = max(self._newest_us, int(time_us.max()))
        columns = (page["user"], page["post"], page["kind"].astype(np.int8), time_us)
        return table_of(arrow_tables.INTERACTIONS, (*columns, unix_microseconds(page["received"]), seq))

    def write_changed(self, changed: Sequence[int]) -> list[ExportedFile]:
        """A file with the numbers of changed interactions, if there are any."""
        if not changed:
            return []
        return [self._write_parts("changed", arrow_tables.CHANGED, [[changed]])]

    def write_tables(self) -> dict[Table, ExportedFile]:
        """A file for each table, with all of its rows."""
        connection, schema = self.connection, self.log.schema
        own_tables = has_complete_change_capture(connection, schema)
        users, posts = (
            full_read.column_parts(connection, tuple(fields.values()), source(schema, own_tables=own_tables))
            for fields, source in (
                (full_read.USER_FIELDS, full_read.user_source),
                (full_read.POST_FIELDS | {"embedding": SENT_EMBEDDING}, full_read.post_source),
            )
        )
        memberships = full_read.column_parts(
            connection, ("user_id::text", "audience_id"), full_read.MEMBERSHIPS.format_map(schema)
        )
        pages = read_newest_pages(connection, schema)
        shown = [
            [page.user_id for page in pages],
            [microseconds(page.shown_at) for page in pages],
            [page.posts for page in pages],
            [page.seen for page in pages],
        ]
        parts: dict[Table, Iterable[Sequence[Any]]] = {
            "users": users,
            "posts": ((*columns, list(map(embedding_content, sent))) for *columns, sent in posts),
            "memberships": memberships,
            "controls": [_control_columns(read_all_controls(connection, schema))],
            "impressions": [shown],
        }
        files: dict[Table, ExportedFile] = {}
        for number, (name, columns) in enumerate(parts.items(), 1):
            files[name] = self._write_parts(name, arrow_tables.TABLES[name], columns)
            self.progress("tables", number, len(parts) + 1)
        files["follows"] = self._write_follows()
        self.progress("tables", len(parts) + 1, len(parts) + 1)
        return files

    def _write_follows(self) -> ExportedFile:
        follows = arrow_tables.TABLES["follows"]

        def write(add: Add) -> None:
            def add_page(page: NDArray[np.void]) -> None:
                add(table_of(follows, (page["follower"], page["followee"], unix_microseconds(page["since"]))))

            log_export.copy_follows(self.connection, self.log.schema, add_page)

        return self._write("follows", follows, write)

    def _write_parts(self, name: str, schema: Any, parts: Iterable[Sequence[Any]]) -> ExportedFile:
        """Write one file with the columns of all parts."""

        def write(add: Add) -> None:
            for columns in parts:
                add(table_of(schema, columns))

        return self._write(name, schema, write)

    def _write(self, name: str, schema: Any, write: Callable[[Add], None]) -> ExportedFile:
        return write_file(self.folder, name, self.number, schema, write)


def _control_columns(controls: Sequence[UserControls]) -> list[list[Any]]:
    rows: list[tuple[Any, ...]] = []
    for of_user in controls:
        for one in of_user.controls or (None,):
            targets = (
                (None,) * 5 if one is None else (one.action, one.post_id, one.author_id, one.tag, one.word)
            )
            times = (None, None) if one is None else (one.created_at, one.until)
            rows.append(
                (
                    of_user.user_id,
                    of_user.seq,
                    *targets,
                    *(NO_TIME if at is None else microseconds(at) for at in times),
                )
            )
    return [list(column) for column in zip(*rows, strict=True)] or [
        [] for _ in arrow_tables.TABLES["controls"]
    ]
