"""Loads a feed file into the database of the settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.control import Control
from app.domain.feed.dataset import (
    KEY_DTYPE,
    NO_TIME,
    EventColumns,
    FeedDataset,
    PostColumns,
    microseconds,
    time_of,
    uuid_keys,
)
from app.domain.feed.time_units import DAY
from app.infrastructure.config.key_files import erasure_secrets
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.bulk_load import (
    LoadCounts,
    LoadRejected,
    ShiftConflict,
    TimeShift,
    load_feed,
)
from app.infrastructure.database.bulk_update import GivenRows
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.existing_rows import with_existing_keys
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones
from app.shared.progress import Progress
from data.feed_files.reader import FeedFile
from data.feed_files.skipped_rows import SkippedRows
from data.schemas import FileKind
from data.times import are_storable

_STORED_AS: Final = {"hidden": "visible"}
_SETS: Final[tuple[FileKind, ...]] = ("follows", "memberships")


@dataclass(frozen=True, slots=True)
class FeedDatabase:
    """The database that feeds are loaded into."""

    engine: Engine
    schema: SchemaName
    impression_days: int
    tombstones: Tombstones = NO_TOMBSTONES
    embedding_dimensions: int = 0

    def is_empty(self) -> bool:
        """Whether the database has no post."""
        with self.engine.connect() as connection:
            return not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {self.schema['feed_posts']})"))  # noqa: S608

    def load(
        self,
        feed: FeedFile,
        *,
        shift_last_event_to: float | None,
        progress: Progress,
        update: bool = False,
    ) -> LoadCounts:
        """Add the rows that are new, and change those that differ from the files if `update` is true.

        shift_last_event_to  seconds since the epoch: all times are shifted by one amount, so that the last event has
                             this time; None shifts nothing

        A data set that was loaded with a shift gets the same shift again. Raises LoadRejected and
        StorageUnavailable; then nothing is written.
        """
        _check_embeddings(feed.dataset.posts, self.embedding_dimensions)
        dataset = complete(replace(feed, dataset=with_existing_keys(self.engine, feed.dataset, self.schema)))
        shift = None
        if shift_last_event_to is not None and len(dataset.events):
            seconds = shift_last_event_to - float(dataset.events.time[-1])
            shift = TimeShift(data_set_name(dataset), seconds)
        add = partial(self._add, progress=progress, given=given_rows(feed), update=update)
        try:
            return add(dataset, shift)
        except ShiftConflict as other:  # an earlier load stored another shift
            return add(dataset, other.before)

    def apply_erasures(self) -> int:
        """Remove the rows of erased users, in one transaction; returns the number of users who had rows.

        Raises ConfigurationError (tombstones of an unknown secret) and StorageUnavailable.
        """
        with storage_errors(), self.engine.begin() as connection:
            return self.tombstones.apply(connection, self.schema)

    def _add(
        self,
        dataset: FeedDataset,
        shift: TimeShift | None,
        *,
        progress: Progress,
        given: GivenRows,
        update: bool,
    ) -> LoadCounts:
        if shift is not None:
            dataset = shifted(dataset, shift.seconds)
        columns: Mapping[str, Sized]
        columns = {
            "users": dataset.users,
            "posts": dataset.posts,
            "follows": dataset.follows,
            "controls": dataset.controls,
            "memberships": dataset.memberships,
            "impressions": dataset.pages,
        }

        def table_progress(table: str, rows: int) -> None:
            progress(table, rows, len(columns.get(table, dataset.events)))

        return load_feed(
            self.engine,
            dataset,
            self.schema,
            remember=shift,
            impression_days=self.impression_days,
            given=given,
            update=update,
            progress=table_progress,
            tombstones=self.tombstones,
        )


def _check_embeddings(posts: PostColumns, dimensions: int) -> None:
    """Raise LoadRejected unless the embeddings have the length that the service accepts."""
    if posts.embedding is None or posts.embedding.shape[1] == dimensions:
        return
    given = posts.embedding.shape[1]
    raise LoadRejected(
        f"posts: column embedding has vectors of {given} numbers, and EMBEDDING_DIMENSIONS is {dimensions}; set it to "
        f"{given}, or omit the column with --columns embedding="
    )


def given_rows(feed: FeedFile) -> GivenRows:
    """What the files of a feed say about stored rows."""
    rows = {str(table): listed for table, listed in feed.listed.items()}
    columns = {
        str(table): list(
            dict.fromkeys(_STORED_AS.get(name, name) for name in feed.columns.get(table, ()) if name != "id")
        )
        for table in feed.listed
    }
    return GivenRows(rows, columns, [kind for kind in _SETS if kind in feed.columns])


def complete(feed: FeedFile) -> FeedDataset:
    """The feed with what the tables need: an id for each event, and a time for each user.

    An event without an id gets one from its original time. A user without a time dates from their first mention.
    """
    dataset, missing = feed.dataset, np.flatnonzero(~feed.has_event_id)
    events = dataset.events
    ids = np.zeros(len(events), KEY_DTYPE) if events.event_id is None else events.event_id.copy()
    ids[missing] = _event_ids(dataset, events[missing])
    return replace(
        dataset,
        users=replace(dataset.users, created_us=_users_created(dataset)),
        events=replace(events, event_id=ids),
    )


def _event_ids(dataset: FeedDataset, events: EventColumns) -> NDArray[np.void]:
    """(n,) ``V16`` ids of `events`, some events of the dataset: every read of the same file gives the same ids.

    uuid5(NAMESPACE_URL, "event:USER|POST|TYPE|MICROSECONDS|NUMBER"): the UUIDs of user and post, the interaction
    type, the original time as whole microseconds since the Unix epoch, and the event's number (from 0) among rows
    that are equal in all of these, in the order of the file.
    """
    users = [str(UUID(bytes=key.tobytes())) for key in dataset.users.key]
    posts = [str(UUID(bytes=key.tobytes())) for key in dataset.posts.key]
    columns = {"user": events.user, "post": events.post, "kind": events.kind, "time_us": events.time_us}
    rows = pd.DataFrame(columns)
    rows["number"] = rows.groupby(list(columns), sort=False).cumcount()
    return uuid_keys(
        uuid5(
            NAMESPACE_URL, f"event:{users[user]}|{posts[post]}|{INTERACTION_TYPES[kind]}|{time_us}|{number}"
        )
        for user, post, kind, time_us, number in rows.itertuples(index=False)
    )


def _users_created(dataset: FeedDataset) -> NDArray[np.int64]:
    """(n_users,) microseconds: the given time, else that of the first row that mentions the user, else NO_TIME."""
    users, posts, follows, events = dataset.users, dataset.posts, dataset.follows, dataset.events
    latest = np.iinfo(np.int64).max
    first = np.full(len(users), latest)
    has_author = posts.author >= 0
    np.minimum.at(first, events.user, events.time_us)
    np.minimum.at(first, dataset.pages.user, dataset.pages.time_us)
    np.minimum.at(first, posts.author[has_author], posts.created_us[has_author])
    since = np.where(follows.since_us == NO_TIME, latest, follows.since_us)
    np.minimum.at(first, follows.follower, since)
    np.minimum.at(first, follows.followee, since)
    first = np.where(first == latest, NO_TIME, first)
    assert users.created_us is not None
    return np.where(users.created_us == NO_TIME, first, users.created_us)


def shifted(dataset: FeedDataset, seconds: float) -> FeedDataset:
    """The dataset with all times shifted by `seconds`. Raises LoadRejected for a result that the tables reject."""
    shift_us = round(seconds * 1e6)

    def shift(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
        known = time_us != NO_TIME
        after = np.where(known, time_us, 0) + shift_us
        if (beyond := known & ~are_storable(after)).any():
            given = np.datetime64(int(time_us[beyond.argmax()]), "us")
            raise LoadRejected(
                f"{given}Z, shifted by {seconds / DAY:,.0f} days, is beyond the years 1 to 9999"
            )
        return np.where(known, after, NO_TIME)

    users, posts, follows, events = dataset.users, dataset.posts, dataset.follows, dataset.events
    return replace(
        dataset,
        users=replace(users, created_us=None if users.created_us is None else shift(users.created_us)),
        posts=replace(posts, created_us=shift(posts.created_us)),
        follows=replace(follows, since_us=shift(follows.since_us)),
        events=replace(events, time_us=shift(events.time_us)),
        controls=_shifted_controls(dataset.controls, shift),
        pages=replace(dataset.pages, time_us=shift(dataset.pages.time_us)),
    )


def _shifted_controls(
    controls: Sequence[Control], shift: Callable[[NDArray[np.int64]], NDArray[np.int64]]
) -> list[Control]:
    given = [(control.created_at, control.until) for control in controls]
    times_us = [NO_TIME if time is None else microseconds(time) for pair in given for time in pair]
    times = map(time_of, shift(np.array(times_us, np.int64)).tolist())
    return [
        replace(control, created_at=created_at, until=until)
        for control, created_at, until in zip(controls, times, times, strict=True)
    ]


def data_set_name(dataset: FeedDataset) -> str:
    """The id of the first event: it identifies a data set that has grown or moved to another file."""
    events = dataset.events
    assert events.event_id is not None
    earliest = events.event_id[: np.searchsorted(events.time_us, events.time_us[0], side="right")]
    return str(UUID(bytes=min(key.tobytes() for key in earliest)))


@contextmanager
def feed_database() -> Iterator[FeedDatabase]:
    """The database of DATABASE_URL, else the embedded one; missing tables are created.

    Raises ConfigurationError, EmbeddedUnavailable, StorageUnavailable.
    """
    from app.infrastructure.database.migrate import migrate  # imports alembic

    settings = read_settings()
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        with engine.connect() as connection:
            ready = connection.scalar(text("SELECT to_regclass(:name)"), {"name": schema["feed_import"]})
        if ready is None:
            migrate(engine, schema)
        tombstones = Tombstones(erasure_secrets(settings, creates=False))
        yield FeedDatabase(
            engine, schema, settings.impression_days, tombstones, settings.embedding_dimensions
        )


def summary(counts: LoadCounts, skipped_rows: Sequence[SkippedRows], *, update: bool = False) -> str:
    """One line for the user: the rows added, changed, removed and skipped, and those that an update would change."""
    added = (
        f"added {counts.users:,} users, {counts.posts:,} posts, {counts.follows:,} follows, "
        f"{counts.interactions:,} interactions"
    )
    for name in ("controls", "memberships", "impressions"):
        rows = getattr(counts, name)
        added += f", {rows:,} {name}" if rows else ""
    if replace(counts, old_impressions=0, erased_users=0, different={}, surplus={}) == LoadCounts(0, 0, 0, 0):
        added = "nothing new"
    parts = [added, *_differences(counts, update=update)]
    skipped = list(map(str, skipped_rows))
    if counts.old_impressions:
        skipped.append(f"{counts.old_impressions:,} of the impressions (not of the last IMPRESSION_DAYS)")
    if counts.erased_users:
        skipped.append(f"{counts.erased_users:,} erased users with their rows")
    return "; ".join([*parts, f"skipped {', '.join(skipped)}"] if skipped else parts)


def _differences(counts: LoadCounts, *, update: bool) -> list[str]:
    different, surplus = (
        [f"{rows:,} {name}" for name, rows in found.items() if rows]
        for found in (counts.different, counts.surplus)
    )
    if update:
        pairs = (("changed", different), ("removed", surplus))
        return [f"{did} {', '.join(what)}" for did, what in pairs if what]
    found = [f"{', '.join(different)} differ from the stored ones"] * bool(different)
    found += [f"{', '.join(surplus)} that are stored are not in the files"] * bool(surplus)
    return [f"{' and '.join(found)}: --update applies this"] if found else []
