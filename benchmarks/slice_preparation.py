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
from data.log_export import entities
from data.log_export.arrow_tables import TABLES, batches
from data.log_export.manifest import Table, read_manifest
from data.log_export.reader import event_columns, read_export
from training.evaluation.sliced_replay import (
    Cluster,
    Part,
    PreparationSteps,
    n_parts_of,
    regrouped_by_author,
    slice_inputs,
    state_of,
)
from training.preprocess import MAX_COMPARED_INTERACTIONS
from training.replay.replay import Replay
from training.replay.replay_slices import ReplaySlice, SlicedFeed
from training.replay.slice_states import Authorship

_TARGETS: Final = frozenset(map(INTERACTION_TYPES.index, ("like", "comment", "share")))
_FOREVER_DAYS: Final = 1e5
_BLOCK: Final = 65_536  # numbers of events


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The tables of an export, the start of its last day in seconds, and the largest number of an event."""

    folder: Path
    dataset: FeedDataset
    users: UuidIndex
    posts: UuidIndex
    start: float
    last_number: int

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
            manifest.last_seq,
        )

    def read_file(self, part: Part, n_parts: int) -> Iterator[Part]:
        """The events of one file, by part of the users."""
        for batch in batches(self.folder, part.value):
            events = event_columns(batch, self.users, self.posts)
            part_of = events.user % n_parts
            order = np.argsort(part_of, kind="stable")
            keys, first = np.unique(part_of[order], return_index=True)
            for key, rows in zip(keys.tolist(), np.split(order, first[1:]), strict=True):
                yield Part("chunk", key, -1, events[rows])

    def sliced_feed(self, appears: NDArray[np.float64], exists_since: NDArray[np.float64]) -> SlicedFeed:
        return SlicedFeed(
            self.dataset, exists_since, appears, RankingOptions(), _TARGETS, self.start, DAY, seed=0
        )

    def sampled_users(self, count: int) -> NDArray[np.intp]:
        return np.sort(np.random.default_rng(1).choice(len(self.dataset.users), count, replace=False))


def _first_of_users(part: Part, start: float) -> Part:
    """The first event of each user of a part, and how many events of each block of numbers count before a time."""
    events, columns = part.value, part.value.columns
    users, first = np.unique(columns.user, return_index=True)
    counted = events.numbers[events.counted & (columns.time < start)]
    return Part("users", part.key, -1, (users, columns.time[first], np.bincount(counted // _BLOCK)))


def _first_of_posts(part: Part) -> Part:
    """The first event of each post of a part of the authors."""
    columns = part.value.columns
    posts, first = np.unique(columns.post, return_index=True)
    return Part("posts", part.key, -1, (posts, columns.time[first]))


def _compared_from(counts: NDArray[np.int64]) -> int:
    """The start of the last block from which on enough events count for a neighbour matrix."""
    from_end = np.cumsum(counts[::-1])
    blocks = int(np.searchsorted(from_end, MAX_COMPARED_INTERACTIONS)) + 1
    return max(len(counts) - blocks, 0) * _BLOCK


def find_on_cluster(
    catalogue: Catalogue, users: NDArray[np.intp], cluster: Cluster, n_parts: int | None = None
) -> dict[str, Any]:
    """The neighbours of users, found by executors. The log is split into `n_parts`, by default as a replay does."""
    seconds: dict[str, float] = {}
    dataset = catalogue.dataset
    started = time.perf_counter()
    files = read_manifest(catalogue.folder).interactions
    n_parts = n_parts or n_parts_of(sum(file.rows for file in files), cluster.parallelism)
    created = np.where(np.isnan(dataset.users.created), -np.inf, dataset.users.created)
    authorship = Authorship(dataset.posts.author, created, RankingOptions().counting)
    shared, tables = cluster.share(PreparationSteps(authorship, n_parts)), cluster.share(catalogue)

    def counted(parts: Sequence[Part]) -> Iterator[Part]:
        events = EventColumns.concatenate([part.value for part in parts])
        events.sort_in_place()
        yield shared.value.counted(parts[0].key, events, events.seq)

    read = cluster.distribute(Part("file", number, -1, file) for number, file in enumerate(files))
    chunks = read.flat_map(lambda part: tables.value.read_file(part, n_parts))
    by_user = chunks.flat_map_groups(counted).kept()
    by_author = regrouped_by_author(by_user, shared)

    def of_users(part: Part) -> Iterator[Part]:
        yield _first_of_users(part, tables.value.start)

    def of_posts(part: Part) -> Iterator[Part]:
        yield _first_of_posts(part)

    appears = np.full(len(dataset.users), np.inf)
    first_of_post = np.full(len(dataset.posts), np.inf)
    counts = np.zeros(catalogue.last_number // _BLOCK + 1, np.int64)
    for part in by_user.flat_map(of_users).collect():
        found, times, of_blocks = part.value
        appears[found] = times
        counts[: len(of_blocks)] += of_blocks
    seconds["read and count"] = time.perf_counter() - started
    started = time.perf_counter()
    for part in by_author.flat_map(of_posts).collect():
        found, times = part.value
        first_of_post[found] = times
    seconds["group by author"] = time.perf_counter() - started
    started = time.perf_counter()
    exists_since = np.fmin(dataset.posts.created, first_of_post)
    np.minimum.at(appears, dataset.posts.author, exists_since)
    for side in (dataset.follows.follower, dataset.follows.followee):
        np.minimum.at(appears, side, dataset.follows.since)
    one = _slice(catalogue, users, _compared_from(counts))
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
    """The same from the dataset of the export, in this process."""
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
