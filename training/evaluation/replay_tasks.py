"""Tasks of a replay: slices that can be processed in any order, on any machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.impressions import FeedImpressions
from training.evaluation.rankers import COMPARES_ALL_EVENTS
from training.evaluation.replay_job import (
    Against,
    Diagnose,
    FittedRanking,
    ReplayJob,
    ReplayPlan,
    Result,
)
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import SampledExample
from training.learning.training_examples import TrainingExamples
from training.preprocess import MAX_COMPARED_INTERACTIONS
from training.replay.replay import Replay
from training.replay.replay_slices import ReplaySlice, SlicedFeed, SliceState

_NOTHING_COMPARED: Final = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayTask:
    """The requests and training examples of a slice, as positions in their arrays of the plan.

    against  the orders of the plan for the requests of the slice, by the position of the request
    """

    slice: ReplaySlice
    requests: NDArray[np.intp]
    held_out: NDArray[np.intp]
    examples: NDArray[np.intp]
    against: Against | None

    def __len__(self) -> int:
        return len(self.requests) + len(self.held_out) + len(self.examples)


@dataclass(frozen=True, slots=True, eq=False)
class SharedPlan:
    """What the tasks of a plan share, without events. `feed` and the rest are as in `ReplayPlan`.

    event_rows  event rows of the feed: of the requests, of the held-out requests and of the examples
    full        as in `TrainingExamples`
    """

    feed: SlicedFeed
    rankers: tuple[str, ...]
    learning: LearningOptions
    diagnose: Diagnose | None
    event_rows: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    full: NDArray[np.bool_]

    @classmethod
    def of(cls, plan: ReplayPlan) -> "SharedPlan":
        """What the tasks of a plan share."""
        return cls(
            SlicedFeed.of(plan.replay),
            plan.rankers,
            plan.learning,
            plan.diagnose,
            (plan.requests, plan.held_out, plan.examples.event_rows),
            plan.examples.full,
        )

    def run(
        self, task: ReplayTask, state: SliceState, fitted: FittedRanking, shown: FeedImpressions
    ) -> tuple[list[Result], FeedImpressions]:
        """The results of a task, and the impressions that it gave to its users. `shown` are those of earlier tasks."""
        replay = self.feed.replay(task.slice, state)
        replay.timeline.state.impressions.update(shown)
        of_task = (task.requests, task.held_out, task.examples)
        requests, held_out, examples = (
            np.searchsorted(state.events.numbers, rows[positions])
            for rows, positions in zip(self.event_rows, of_task, strict=True)
        )
        against = task.against
        if isinstance(against, Mapping):
            of_position = dict(zip(task.requests.tolist(), requests.tolist(), strict=True))
            against = {of_position[position]: order for position, order in against.items()}
        plan = ReplayPlan(
            replay,
            self.rankers,
            requests,
            TrainingExamples(examples, examples, self.full[task.examples]),
            self.learning,
            self.diagnose,
            held_out,
            against,
        )
        results = ReplayJob(plan).process_until(np.inf, fitted, lambda _done, _total: None)
        impressions = replay.timeline.state.impressions
        if replay.has_pages:  # those of the pages are in the state of every slice
            impressions = FeedImpressions()
        users = replay.timeline.user_row[task.slice.users]
        return [_renumbered(result, task) for result in results], impressions.only(users)


def _renumbered(result: Result, task: ReplayTask) -> Result:
    """A result with its number in the plan instead of that in the task."""
    if isinstance(result, SampledExample):
        number = task.examples.item(result.number)
        full = None if result.full is None else replace(result.full, number=number)
        return replace(result, number=number, full=full)
    numbers = task.requests if hasattr(result, "ranked") else task.held_out
    return replace(result, number=numbers.item(result.number))


def records_impressions(plan: ReplayPlan) -> bool:
    """Whether ranking a test request changes the later lists of its user. A feed with pages has its impressions."""
    return "served" in plan.rankers and not plan.replay.has_pages


def tasks_between(plan: ReplayPlan, start: float, stop: float, n_tasks: int) -> list[ReplayTask]:
    """At most `n_tasks` tasks for the requests and examples of `plan` with start <= time < stop, in seconds.

    Each task is a time of all users, from one refit of the neighbour models to another. If requests change later lists
    of their users, each task is all of the time and some of the users.
    """
    replay, times = plan.replay, plan.replay.events.time
    rows = plan.event_rows
    rows = rows[(times[rows] >= start) & (times[rows] < stop)]
    if not len(rows):
        return []
    first, last = times[rows[[0, -1]]].tolist()
    if records_impressions(plan) and last >= replay.test_from:
        users = replay.dataset.events.user[rows]
        period = first, np.nextafter(last, np.inf)
        shares = [_task(plan, rows[users % n_tasks == share], *period) for share in range(n_tasks)]
        return [task for task in shares if len(task)]
    # The time of the last refit before each of `n_tasks` requests at equal distances.
    begins = {replay.refit_before(times[row]) for row in rows[:: -(-len(rows) // n_tasks)].tolist()}
    bounds = [first, *sorted(one for one in begins if one > first), np.nextafter(last, np.inf)]
    return [
        _task(plan, rows[slice(*np.searchsorted(times[rows], period))], *period)
        for period in pairwise(bounds)
    ]


def _task(plan: ReplayPlan, rows: NDArray[np.intp], start: float, stop: float) -> ReplayTask:
    """The task of some event rows of a plan in a time."""
    replay, follows = plan.replay, plan.replay.dataset.follows
    users = np.unique(replay.dataset.events.user[rows]).astype(np.intp)
    followed = follows.followee[np.isin(follows.follower, users)]
    requests, held_out, examples = (
        np.flatnonzero(np.isin(those, rows))
        for those in (plan.requests, plan.held_out, plan.examples.event_rows)
    )
    ranks = bool(len(requests) or len(held_out))
    end = int(np.searchsorted(replay.events.time, replay.refit_before(start)))
    past = replay.events[:end]
    against = plan.against
    if isinstance(against, Mapping):
        against = {position: against[plan.requests.item(position)] for position in requests.tolist()}
    part = ReplaySlice(
        start,
        stop,
        users,
        np.union1d(users, followed),
        _compared_from(replay, end) if ranks else _NOTHING_COMPARED,
        bool(len(requests)) and not COMPARES_ALL_EVENTS.isdisjoint(_names(plan)),
        (int(past.user.max(initial=-1)), int(past.post.max(initial=-1))),
    )
    return ReplayTask(part, requests, held_out, examples, against)


def _names(plan: ReplayPlan) -> Sequence[str]:
    return (*plan.rankers, plan.against) if isinstance(plan.against, str) else plan.rankers


def _compared_from(replay: Replay, end: int) -> int:
    """The number of the first event that a published model of the events before `end` compares users by."""
    counted = np.flatnonzero(replay.timeline.counted[:end])
    return int(counted[-MAX_COMPARED_INTERACTIONS:][0]) if len(counted) else 0
