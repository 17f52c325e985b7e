"""Slices of a replay: a time and the users whose requests are replayed in it, with the part of the feed they need."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns, FeedDataset, PageColumns
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.feed.timeline import TimelineStart
from app.domain.ranking.options import RankingOptions
from training.replay.choice_pages import MAX_AGE_SECONDS
from training.replay.post_spaces import PostSpaces
from training.replay.replay import Replay, ReplayStart


@dataclass(frozen=True, slots=True, eq=False)
class NumberedEvents:
    """Some events of a feed, in order of time, with rows of the dataset.

    numbers  (n,) int64 position of each in the whole feed
    counted  (n,) whether each counts (see CountingRule)
    """

    columns: EventColumns
    numbers: NDArray[np.int64]
    counted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, some: NDArray[np.intp]) -> "NumberedEvents":
        return NumberedEvents(self.columns[some], self.numbers[some], self.counted[some])

    @classmethod
    def merge(cls, parts: Sequence["NumberedEvents"]) -> "NumberedEvents":
        """The events of all parts, at least one, in order of their numbers; one that is in several parts, once."""
        events = cls(
            EventColumns.concatenate([part.columns for part in parts]),
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.counted for part in parts]),
        )
        _, first = np.unique(events.numbers, return_index=True)
        return events[first]


@dataclass(frozen=True, slots=True, eq=False)
class ReplaySlice:
    """A time of a replay, and the users with a request in it.

    start, stop       seconds: requests with start <= time < stop
    users             (n,) rows of the dataset, ascending
    listed            (n,) those, and the users whom they follow, ascending
    compared_from     counted events from this number on are in a matrix of neighbours of the slice
    needs_whole_past  whether a reference ranker compares with all events of all users
    largest_rows      as in `ReplayStart`
    """

    start: float
    stop: float
    users: NDArray[np.intp]
    listed: NDArray[np.intp]
    compared_from: int
    needs_whole_past: bool
    largest_rows: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class SliceState:
    """The part of a feed that a slice needs. Its size does not depend on the length of the log before it.

    events             the past of its users, the newest past that rankings read of other users and of posts, and all
                       events of its time
    totals             the engagement before its start, with rows of the dataset
    uncapped           the same if every event counts
    neighbours         rows of the users who can be neighbours of its users
    neighbours_events  how many counted events each of them had before its start
    """

    events: NumberedEvents
    totals: EngagementTotals
    uncapped: EngagementTotals
    neighbours: NDArray[np.intp]
    neighbours_events: NDArray[np.int64]

    def omitted(self, start: float, n_users: int) -> NDArray[np.int64]:
        """(n_users,) how many counted events of each neighbour before `start` (seconds) are not in `events`."""
        events = self.events
        is_past = events.counted & (events.columns.time < start)
        held = np.bincount(events.columns.user[is_past], minlength=n_users)
        omitted = np.zeros(n_users, np.int64)
        omitted[self.neighbours] = self.neighbours_events - held[self.neighbours]
        return omitted


@dataclass(frozen=True, slots=True, eq=False)
class SlicedFeed:
    """What all slices of a replay share: the feed without its events, and the arguments of the replay.

    exists_since, appears  as in `TimelineStart`
    spaces                 as in `ReplayStart`: the slices that one process replays share them
    """

    dataset: FeedDataset
    exists_since: NDArray[np.float64]
    appears: NDArray[np.float64]
    options: RankingOptions
    targets: frozenset[int]
    test_from: float
    refit_every: float
    seed: int
    spaces: dict[int, PostSpaces] = field(default_factory=dict)

    @classmethod
    def of(cls, replay: Replay) -> Self:
        """What the slices of a replay share."""
        return cls(
            replace(replay.dataset, events=replay.dataset.events[:0]),
            replay.timeline.exists_since,
            replay.timeline.appears,
            replay.options,
            replay.targets,
            replay.test_from,
            replay.refit_every,
            replay.seed,
        )

    def replay(self, one: ReplaySlice, state: SliceState) -> Replay:
        """The replay of a slice."""
        events = state.events
        # Of the uncapped past, the reference rankers read the lists of the users of requests only.
        listed = np.isin(events.columns.user, one.users) | (events.columns.time >= one.start)
        start = ReplayStart(
            TimelineStart(
                one.start,
                self.exists_since,
                self.appears,
                events.counted,
                state.totals,
                state.omitted(one.start, len(self.dataset.users)),
            ),
            TimelineStart(one.start, self.exists_since, self.appears, listed, state.uncapped),
            len(self.dataset.pages) > 0,
            one.largest_rows,
            self.spaces,
        )
        pages = _pages_of(self.dataset.pages, one.users)
        return Replay(
            replace(self.dataset, events=events.columns, pages=pages),
            self.options,
            targets=self.targets,
            test_from=self.test_from,
            refit_every=self.refit_every,
            seed=self.seed,
            start=start,
        )


def seconds_read(one: ReplaySlice) -> float:
    """The time up to which a slice reads the events of its users: those after its pages are ignored posts' clicks."""
    return one.stop + MAX_AGE_SECONDS


def _pages_of(pages: PageColumns, users: NDArray[np.intp]) -> PageColumns:
    """The pages of some users."""
    kept = np.isin(pages.user, users)
    places = np.repeat(kept, pages.length)
    return PageColumns(
        pages.user[kept], pages.time_us[kept], pages.length[kept], pages.post[places], pages.seen[places]
    )
