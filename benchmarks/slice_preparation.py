"""Prepares the last day of an export for the requests of some users, and finds the neighbours of these users."""

import hashlib
import json
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset
from app.domain.feed.time_units import DAY
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ranking.options import RankingOptions
from app.infrastructure.config.settings import read_settings
from data.log_export import entities
from data.log_export.arrow_tables import TABLES, batches
from data.log_export.manifest import Table, read_manifest
from data.log_export.reader import event_columns, read_export
from training.evaluation.sliced_replay import Part, PreparationSteps, counted_parts, slice_inputs, state_of
from training.preprocess import MAX_COMPARED_INTERACTIONS
from training.replay.replay import Replay
from training.replay.replay_slices import NumberedEvents, ReplaySlice, SlicedFeed
from training.replay.slice_states import Authorship

_TARGETS: Final = frozenset(map(INTERACTION_TYPES.index, ("like", "comment", "share")))
_FOREVER_DAYS: Final = 1e5


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The tables of an export, and the start of its last day in seconds."""

    folder: Path
    dataset: FeedDataset
    users: UuidIndex
    posts: UuidIndex
    start: float

    @classmethod
    def read(cls, folder: Path) -> "Catalogue":
        import pyarrow as pa

        manifest = read_manifest(folder)

        def table(name: Table) -> Any:
            return pa.Table.from_batches(batches(folder, manifest.tables[name]), TABLES[name])

        columns = entities.users(table("users"))
        users = UuidIndex(columns.key)
        posts = entities.posts(table("posts"), users)
        follows = entities.follows(batches(folder, manifest.tables["follows"]), users)
        numbers, rows = np.empty(0, np.int64), np.empty(0, np.int32)
        empty = EventColumns(rows, rows, np.empty(0, np.uint8), numbers, numbers)
        newest = max(file.newest_us or 0 for file in manifest.interactions) / 1e6
        return cls(
            folder,
            FeedDataset(columns, posts, follows, empty),
            users,
            UuidIndex(posts.key),
            newest // DAY * DAY,
        )

    def read_file(self, part: Part, n_parts: int) -> Iterator[Part]:
        """The events of one file, by part of the users."""
        for batch in batches(self.folder, part.value):
            events = event_columns(batch, self.users, self.posts)
            for of_users in range(n_parts):
                rows = np.flatnonzero(events.user % n_parts == of_users)
                yield Part("chunk", of_users, -1, events[rows])

    def sliced_feed(self, appears: NDArray[np.float64], exists_since: NDArray[np.float64]) -> SlicedFeed:
        return SlicedFeed(
            self.dataset, exists_since, appears, RankingOptions(), _TARGETS, self.start, DAY, seed=0
        )

    def sampled_users(self, count: int) -> NDArray[np.intp]:
        return np.sort(np.random.default_rng(1).choice(len(self.dataset.users), count, replace=False))


def _merged(parts: Sequence[Part]) -> Iterator[Part]:
    """All events of a part of the users, in order, with their numbers in the log."""
    events = EventColumns.concatenate([part.value for part in parts])
    events = events[np.lexsort((events.seq, events.time_us))]
    yield Part("events", parts[0].key, -1, (events, events.seq))


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """Of a part of the users: their first events, those of posts, and the newest counted events before the slice."""

    first_of_user: NDArray[np.float64]
    first_of_post: NDArray[np.float64]
    compared: NDArray[np.int64]

    @classmethod
    def of(cls, events: NumberedEvents, catalogue: Catalogue) -> "_Facts":
        columns, dataset = events.columns, catalogue.dataset
        first_of_user = np.full(len(dataset.users), np.inf)
        first_of_post = np.full(len(dataset.posts), np.inf)
        np.minimum.at(first_of_user, columns.user, columns.time)
        np.minimum.at(first_of_post, columns.post, columns.time)
        before = events.counted & (columns.time < catalogue.start)
        return cls(first_of_user, first_of_post, events.numbers[before][-MAX_COMPARED_INTERACTIONS:])


def find_on_spark(catalogue: Catalogue, users: NDArray[np.intp], n_parts: int) -> dict[str, Any]:
    from training.spark.spark_cluster import SparkCluster
    from training.spark.spark_engine import spark_session

    seconds: dict[str, float] = {}
    dataset = catalogue.dataset
    with spark_session(read_settings().spark_master) as session:
        cluster = SparkCluster(session)
        started = time.perf_counter()
        files = read_manifest(catalogue.folder).interactions
        created = np.where(np.isnan(dataset.users.created), -np.inf, dataset.users.created)
        authorship = Authorship(dataset.posts.author, created, RankingOptions().counting)
        shared, tables = cluster.share(PreparationSteps(authorship, n_parts)), cluster.share(catalogue)
        read = cluster.distribute(Part("file", number, -1, file) for number, file in enumerate(files))
        events = read.flat_map(lambda part: tables.value.read_file(part, n_parts)).flat_map_groups(_merged)
        by_user, by_author = counted_parts(events, shared)

        def facts(part: Part) -> Iterator[Part]:
            yield Part("facts", part.key, -1, _Facts.of(part.value, tables.value))

        first_of_user, first_of_post = (
            np.full(len(dataset.users), np.inf),
            np.full(len(dataset.posts), np.inf),
        )
        compared = np.empty(0, np.int64)
        for part in by_user.flat_map(facts).collect():
            np.minimum(first_of_user, part.value.first_of_user, out=first_of_user)
            np.minimum(first_of_post, part.value.first_of_post, out=first_of_post)
            compared = np.sort(np.concatenate([compared, part.value.compared]))[-MAX_COMPARED_INTERACTIONS:]
        seconds["read and count"] = time.perf_counter() - started
        started = time.perf_counter()
        exists_since = np.fmin(dataset.posts.created, first_of_post)
        appears = first_of_user
        np.minimum.at(appears, dataset.posts.author, exists_since)
        for side in (dataset.follows.follower, dataset.follows.followee):
            np.minimum.at(appears, side, dataset.follows.since)
        one = _slice(catalogue, users, int(compared[0]))
        slices = cluster.share([one])
        feed = cluster.share(catalogue.sliced_feed(appears, exists_since))

        def find(parts: Sequence[Part]) -> Iterator[Part]:
            state = state_of(parts)
            replay = feed.value.replay(slices.value[0], state)
            found = _neighbours(replay, slices.value[0].users)
            yield Part("found", 0, 0, (found, len(state.events), _peak_mib()))

        (result,) = slice_inputs(by_user, by_author, shared, slices).flat_map_groups(find).collect()
        neighbours, n_events, executor_mib = result.value
        seconds["prepare and find neighbours"] = time.perf_counter() - started
    return {
        "events of the slice": n_events,
        "peak MiB of the executor's Python": executor_mib,
        **_summary(neighbours, seconds),
    }


def find_locally(catalogue: Catalogue, users: NDArray[np.intp]) -> dict[str, Any]:
    started = time.perf_counter()
    dataset = read_export(catalogue.folder, _FOREVER_DAYS).dataset
    replay = Replay(dataset, RankingOptions(), targets=_TARGETS, test_from=catalogue.start)
    found = _neighbours(replay, users)
    return _summary(found, {"all": time.perf_counter() - started})


def _slice(catalogue: Catalogue, users: NDArray[np.intp], compared_from: int) -> ReplaySlice:
    follows = catalogue.dataset.follows
    listed = np.union1d(users, follows.followee[np.isin(follows.follower, users)])
    return ReplaySlice(
        catalogue.start,
        catalogue.start + DAY,
        users,
        listed,
        compared_from,
        needs_whole_past=False,
        largest_rows=(len(catalogue.dataset.users) - 1, len(catalogue.dataset.posts) - 1),
    )


def _neighbours(replay: Replay, users: Iterable[int]) -> list[tuple[list[int], list[float]]]:
    """The neighbours of each user at the start of the last day, and their similarities."""
    found = []
    for user in users:
        request = replay.request_for(int(user), 0, replay.test_from)
        nearest = request.neighbour_models.served.neighbours(request.context)
        found.append((nearest.rows.tolist(), np.round(nearest.similarity, 9).tolist()))
    return found


def _summary(found: Any, seconds: dict[str, float]) -> dict[str, Any]:
    rows = [rows for rows, _ in found]
    return {
        "seconds": {stage: round(duration, 1) for stage, duration in seconds.items()},
        "peak MiB of the driver's Python": _peak_mib(),
        "users with neighbours": sum(map(bool, rows)),
        "neighbours": hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16],
        "similarities": hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16],
    }


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
