"""Reads an export as a feed. Memory holds the events of the window, and the users and posts that they need."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import NO_TIME, EventColumns, FeedDataset
from app.domain.feed.feed_window import KeptRows, window_start_us
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from data.log_export import arrow_tables, entities
from data.log_export.arrow_tables import batches, ids, times_us
from data.log_export.manifest import Manifest, Table, read_manifest

_NO_EVENTS: Final = EventColumns(
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.uint8),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    received_us=np.empty(0, np.int64),
)


def read_export(folder: Path, window_days: float) -> FeedSnapshot:
    """The feed of an export, as `within_window` returns that of the database.

    Raises ExportError for a missing or damaged file, and OSError.
    """
    return _Export(folder, read_manifest(folder)).read(window_days)


def count_events(folder: Path, window_days: float) -> int:
    """The number of events in the files of the window; it may include some that are older. Raises as `read_export`."""
    manifest = read_manifest(folder)
    start_us = _window_start_us(manifest, window_days)
    return sum(file.rows for file in manifest.interactions if (file.newest_us or 0) >= start_us)


def _window_start_us(manifest: Manifest, window_days: float) -> int:
    newest_us = max((file.newest_us or 0 for file in manifest.interactions), default=NO_TIME)
    return NO_TIME if newest_us == NO_TIME else window_start_us(newest_us, window_days)


class _Export:
    """The files of an export, and the ids of its users and posts, which give the rows of the dataset."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._user_key = ids(self._table("users", columns=["id"])["id"])
        posts = self._table("posts", columns=["id", "author_id", "created_at"])
        self._post_key, self._created_us = ids(posts["id"]), times_us(posts["created_at"])
        self._users, self._posts = UuidIndex(self._user_key), UuidIndex(self._post_key)
        self._author = self._users.rows(ids(posts["author_id"]))

    def read(self, window_days: float) -> FeedSnapshot:
        """The feed within the window."""
        start_us = _window_start_us(self._manifest, window_days)
        events, has_older = self._events(start_us)
        if has_older:
            kept = KeptRows.of_window(start_us, events, self._author, self._created_us, len(self._user_key))
        else:
            kept, start_us = KeptRows.all(len(self._user_key), len(self._post_key)), NO_TIME
        users = UuidIndex(self._user_key[kept.users])
        dataset = FeedDataset(
            entities.users(self._table("users", kept.users)),
            entities.posts(self._table("posts", kept.posts), users),
            entities.follows(self._batches("follows"), users),
            kept.of_events(events),
            memberships=entities.memberships(self._table("memberships"), users),
        )
        return FeedSnapshot(
            dataset,
            LogPosition(self._manifest.source, self._manifest.below_xid),
            recent=frozenset(),
            controls=entities.controls(self._table("controls"), users),
            pages=entities.pages(self._table("impressions"), users, start_us),
        )

    def _events(self, start_us: int) -> tuple[EventColumns, bool]:
        """The events from a time on (microseconds), sorted by time and number, and whether there are earlier ones."""
        parts, has_older = [_NO_EVENTS], False
        changed = self._changed()
        for file in self._manifest.interactions:
            if (file.newest_us or 0) < start_us:
                has_older = True
                continue
            for batch in batches(self._folder, file):
                events = event_columns(batch, self._users, self._posts)
                in_window = events.time_us >= start_us
                has_older |= not in_window.all()
                counts = in_window & (events.user >= 0) & (events.post >= 0)
                for run, seqs in changed:
                    if run > file.run:
                        counts &= ~np.isin(events.seq, seqs)
                parts.append(events[np.flatnonzero(counts)])
        events = EventColumns.concatenate(parts)
        del parts  # the sort needs memory too
        events.sort_in_place()
        return events, has_older

    def _changed(self) -> list[tuple[int, NDArray[np.int64]]]:
        """Run -> the numbers of the events that it changed."""
        return [
            (file.run, np.concatenate([batch["seq"].to_numpy() for batch in batches(self._folder, file)]))
            for file in self._manifest.changed
        ]

    def _table(
        self, name: Table, kept: NDArray[np.bool_] | None = None, *, columns: Sequence[str] | None = None
    ) -> Any:
        """The rows of a table where `kept` is true, all columns or some."""
        schema, parts, start = arrow_tables.TABLES[name], [], 0
        if columns is not None:
            schema = pa.schema([schema.field(column) for column in columns])
        for batch in self._batches(name, columns):
            end = start + batch.num_rows
            if "embedding" in schema.names and "embedding" not in batch.schema.names:  # of an earlier version
                batch = batch.append_column("embedding", pa.nulls(batch.num_rows, pa.binary()))
            parts.append(batch if kept is None else batch.filter(pa.array(kept[start:end])))
            start = end
        return pa.Table.from_batches(parts, schema)

    def _batches(self, name: Table, columns: Sequence[str] | None = None) -> Iterator[Any]:
        return batches(self._folder, self._manifest.tables[name], columns)


def event_columns(batch: Any, users: UuidIndex, posts: UuidIndex) -> EventColumns:
    """The rows of a file of interactions. Users and posts that are in no table are -1."""
    return EventColumns(
        _rows(users, batch["user_id"]),
        _rows(posts, batch["post_id"]),
        _codes(batch["interaction_type"]),
        times_us(batch["created_at"]),
        batch["seq"].to_numpy(),
        received_us=times_us(batch["received_at"]),
    )


def _rows(index: UuidIndex, column: Any) -> NDArray[np.int32]:
    """(n,) the row of each id; an id that occurs several times is looked up once."""
    encoded = column.dictionary_encode()
    rows: NDArray[np.int32] = index.rows(ids(encoded.dictionary))[encoded.indices.to_numpy()]
    return rows


def _codes(types: Any) -> NDArray[np.uint8]:
    """(n,) positions in INTERACTION_TYPES."""
    if not pa.types.is_dictionary(types.type):
        types = types.dictionary_encode()
    code_of = np.array([INTERACTION_TYPES.index(name) for name in types.dictionary.to_pylist()], np.uint8)
    codes: NDArray[np.uint8] = code_of[types.indices.to_numpy()]
    return codes
