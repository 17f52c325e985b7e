"""A replay in slices, as steps on parts of the log that a cluster executes.

Count the events of each part of the users. Regroup them by author, and add up the engagement before each slice. Then
collect for each slice the events that it needs, and process its requests.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.feed.impressions import FeedImpressions
from app.shared.exceptions import ConfigurationError
from training.evaluation.replay_job import FittedRanking, Progress, ReplayPlan, Result
from training.evaluation.replay_tasks import SharedPlan, tasks_between
from training.replay.replay_slices import NumberedEvents, ReplaySlice, SliceState
from training.replay.slice_states import (
    Authorship,
    count_past,
    engaged_posts,
    engagement_before,
    events_of_slice,
)

MAX_EVENTS_PER_PART: Final = 250_000
"""Of an average part: the steps before the replay hold one part in memory."""


@dataclass(frozen=True, slots=True)
class Part:
    """A value that belongs to a key: a part of the users, of the authors, or a slice.

    kind   what the value is
    slice  number of the slice that it is for, -1 for all
    value  can be pickled
    """

    kind: str
    key: int
    slice: int
    value: Any


class Parts(Protocol):
    """A distributed collection of parts, which is computed when it is collected."""

    def flat_map(self, function: Callable[[Part], Iterable[Part]]) -> Self:
        """What `function` returns for each part."""

    def flat_map_groups(self, function: Callable[[Sequence[Part]], Iterable[Part]]) -> Self:
        """What `function` returns for all parts with the same key, in any order."""

    def union(self, others: Self) -> Self:
        """These parts and others."""

    def kept(self) -> Self:
        """The same parts, which are computed once and stored outside of the memory of Python."""

    def collect(self) -> list[Part]:
        """All parts, in the driver."""


class Shared(Protocol):
    """A value that every machine has."""

    @property
    def value(self) -> Any:
        """The value."""


class Cluster(Protocol):
    """Where parts are processed.

    parallelism  the number of parts that are processed at a time
    """

    @property
    def parallelism(self) -> int:
        """The number of parts that are processed at a time."""

    def distribute(self, parts: Iterator[Part]) -> Parts:
        """Parts that come from the driver."""

    def share(self, value: Any) -> Shared:
        """Send a value to every machine."""


class SlicedReplay:
    """Executes a plan in slices on a cluster."""

    def __init__(self, plan: ReplayPlan, cluster: Cluster, tasks_per_slot: int = 2) -> None:
        """`tasks_per_slot` slices for each part that is processed at a time: fewer repeat less, more balance better."""
        if plan.replay.evicts_posts:
            raise ConfigurationError(
                "TRAINING_ENGINE=spark: slices have all posts, and this feed has more than LIVE_POSTS; raise "
                "LIVE_POSTS, or set TRAINING_ENGINE=local"
            )
        self._plan, self._cluster = plan, cluster
        self._n_tasks = tasks_per_slot * cluster.parallelism
        self._n_parts = n_parts_of(len(plan.replay.dataset.events), cluster.parallelism)
        self._shared = cluster.share(SharedPlan.of(plan))
        self._impressions, self._from = FeedImpressions(), -np.inf
        self._steps = cluster.share(PreparationSteps(Authorship.of(plan.replay), self._n_parts))
        steps = self._steps
        events = cluster.distribute(self._events_by_user())
        self._by_user = events.flat_map(lambda part: [steps.value.counted(part.key, *part.value)]).kept()
        self._by_author = regrouped_by_author(self._by_user, steps)

    def _events_by_user(self) -> Iterator[Part]:
        events = self._plan.replay.dataset.events
        for part in range(self._n_parts):
            rows = np.flatnonzero(events.user % self._n_parts == part)
            yield Part("events", part, -1, (events[rows], rows.astype(np.int64)))

    def process_until(self, stop: float, fitted: FittedRanking, progress: Progress) -> list[Result]:
        """Process the remaining requests before the time `stop`, and return the results of all slices."""
        tasks = tasks_between(self._plan, self._from, stop, self._n_tasks)
        self._from = stop
        if not tasks:
            return []
        slices = self._cluster.share([task.slice for task in tasks])
        inputs = slice_inputs(self._by_user, self._by_author, self._steps, slices)
        work = self._cluster.share((tasks, fitted, self._impressions))
        plan = self._shared

        def process(parts: Sequence[Part]) -> Iterator[Part]:
            (number,) = {part.key for part in parts}
            tasks, fitted, shown = work.value
            yield Part(
                "result", number, number, plan.value.run(tasks[number], state_of(parts), fitted, shown)
            )

        results: list[Result] = []
        for part in inputs.flat_map_groups(process).collect():
            of_slice, shown = part.value
            results += of_slice
            self._impressions.update(shown)
        rows = self._plan.event_rows
        done = int(np.searchsorted(self._plan.replay.events.time[rows], stop))
        progress(done, len(rows))
        return results


@dataclass(frozen=True, slots=True, eq=False)
class PreparationSteps:
    """The steps before the replay. A user u is in the part u modulo `n_parts`."""

    authorship: Authorship
    n_parts: int

    def counted(self, key: int, events: EventColumns, numbers: NDArray[np.int64]) -> Part:
        """All events of a part of the users, in order of their numbers in the log, with those that count."""
        return Part("events", key, -1, self.authorship.count(events, numbers))

    def by_author(self, events: NumberedEvents) -> Iterator[Part]:
        """The events of each part of the authors."""
        part_of = self.authorship.parts_by_author(events.columns.post, self.n_parts)
        for part in np.unique(part_of).tolist():
            yield Part("events", part, -1, events[np.flatnonzero(part_of == part)])

    def engaged_posts(self, events: Part, slices: Sequence[ReplaySlice]) -> Iterator[Part]:
        """The posts of the users of each slice, by part of the authors."""
        for number, one in enumerate(slices):
            posts = engaged_posts(events.value, one)
            part_of = self.authorship.parts_by_author(posts, self.n_parts)
            for part in np.unique(part_of).tolist():
                yield Part("posts", part, number, posts[part_of == part])

    def engagement(self, parts: Sequence[Part], slices: Sequence[ReplaySlice]) -> Iterator[Part]:
        """The engagement before each slice in a part of the authors, and the neighbours by part of the users."""
        events = [part.value for part in parts if part.kind == "events"]
        if not events:
            return
        posts = _by_slice([part for part in parts if part.kind == "posts"], len(slices))
        order = sorted(range(len(slices)), key=lambda number: slices[number].start)
        before = engagement_before(
            events[0],
            self.authorship,
            [slices[number] for number in order],
            [posts[number] for number in order],
        )
        for number, one in zip(order, before, strict=True):
            yield Part("engagement", -1, number, (one.totals, one.uncapped, one.newest))
            part_of = one.neighbours % self.n_parts
            for part in np.unique(part_of).tolist():
                yield Part("neighbours", part, number, one.neighbours[part_of == part])

    def events(self, parts: Sequence[Part], slices: Sequence[ReplaySlice]) -> Iterator[Part]:
        """The events that each slice needs of a part of the users, and how many events its neighbours had before it."""
        neighbours = _by_slice([part for part in parts if part.kind == "neighbours"], len(slices))
        for part in parts:
            if part.kind == "events":
                for number, one in enumerate(slices):
                    needed = events_of_slice(part.value, one, neighbours[number])
                    yield Part("events", number, number, needed)
                    counts = count_past(part.value, one, neighbours[number])
                    yield Part("neighbours", number, number, (neighbours[number], counts))


def n_parts_of(n_events: int, parallelism: int) -> int:
    """The number of parts of a log: each process gets two, and their average length is bounded."""
    return max(2 * parallelism, -(-n_events // MAX_EVENTS_PER_PART))


def regrouped_by_author(by_user: Parts, steps: Shared) -> Parts:
    """The counted events of the parts of the users, by part of the authors."""

    def by_author(part: Part) -> Iterable[Part]:
        found: Iterable[Part] = steps.value.by_author(part.value)
        return found

    def merged(parts: Sequence[Part]) -> Iterator[Part]:
        yield Part("events", parts[0].key, -1, NumberedEvents.merge([part.value for part in parts]))

    return by_user.flat_map(by_author).flat_map_groups(merged).kept()


def slice_inputs(by_user: Parts, by_author: Parts, steps: Shared, slices: Shared) -> Parts:
    """What each slice needs, with its number as the key: see `state_of`."""

    def posts(part: Part) -> Iterable[Part]:
        found: Iterable[Part] = steps.value.engaged_posts(part, slices.value)
        return found

    def engagement(parts: Sequence[Part]) -> Iterable[Part]:
        found: Iterable[Part] = steps.value.engagement(parts, slices.value)
        return found

    def events(parts: Sequence[Part]) -> Iterable[Part]:
        found: Iterable[Part] = steps.value.events(parts, slices.value)
        return found

    before = by_author.union(by_user.flat_map(posts)).flat_map_groups(engagement).kept()
    neighbours = before.flat_map(lambda part: [part] if part.kind == "neighbours" else [])
    totals = before.flat_map(_keyed_by_slice)
    return by_user.union(neighbours).flat_map_groups(events).union(totals)


def state_of(parts: Sequence[Part]) -> SliceState:
    """The state of a slice from all of its parts."""
    totals, uncapped, on_posts = zip(
        *(part.value for part in parts if part.kind == "engagement"), strict=True
    )
    of_users = [part.value for part in parts if part.kind == "events"]
    neighbours, counts = zip(*(part.value for part in parts if part.kind == "neighbours"), strict=True)
    return SliceState(
        NumberedEvents.merge([*of_users, *on_posts]),
        EngagementTotals.concatenate(totals),
        EngagementTotals.concatenate(uncapped),
        np.concatenate(neighbours),
        np.concatenate(counts),
    )


def _keyed_by_slice(part: Part) -> list[Part]:
    return [Part(part.kind, part.slice, part.slice, part.value)] if part.kind == "engagement" else []


def _by_slice(parts: Sequence[Part], n_slices: int) -> list[NDArray[Any]]:
    """The distinct values of each slice."""
    found: list[NDArray[Any]] = [np.empty(0, np.int32)] * n_slices
    in_order = sorted(parts, key=lambda part: part.slice)
    for number, of_slice in groupby(in_order, key=lambda part: part.slice):
        found[number] = np.unique(np.concatenate([part.value for part in of_slice]))
    return found
