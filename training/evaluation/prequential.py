"""Runs rankers over a replay. Learned rankers are fitted on the warm-up, and refitted as the feed grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.rankers import LEARNED_RANKERS, TOP_N
from training.evaluation.replay_job import Diagnose, PartialResult, Progress, ReplayPlan
from training.evaluation.replay_workers import ReplayWorkers, worker_count
from training.learning.model_selection import FitResult, LearningOptions, select_model
from training.learning.negative_sampling import SampledExamples
from training.learning.training_examples import TrainingExamples, no_examples, training_examples
from training.replay.refit_schedule import RefitSchedule
from training.replay.replay import Replay

_MIN_EXAMPLES = 200

AtSplit = Callable[[ChoiceModel | None], None]
"""Receives the first learned model, None if there are too few examples for one."""


@dataclass(slots=True, eq=False)
class ReplayResult:
    """The rank and the list of each ranker and request. Rows follow `requests`, in order of time.

    requests        (n,) rows of the dataset's events
    ranks           ranker -> (n,) rank of the chosen post, from 1
    lists           ranker -> (n, 50) post rows of the replayed state, -1 where a list ends early
    history_length  (n,) events of the user before the request
    post_age        (n,) seconds since the chosen post was created
    examples        the sampled training examples
    seconds         ranker -> total time, summed over the workers
    diagnoses       (n,) results of `diagnose`; empty without it
    fits            the learned models, in order
    """

    requests: NDArray[np.intp]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]]
    history_length: NDArray[np.int64]
    post_age: NDArray[np.float64]
    examples: SampledExamples
    seconds: dict[str, float]
    diagnoses: list[Any]
    fits: list[FitResult] = field(default_factory=list)

    @classmethod
    def empty(cls, plan: ReplayPlan) -> "ReplayResult":
        """The result before the first request."""
        n = len(plan.requests)
        return cls(
            plan.requests,
            {name: np.zeros(n, np.int64) for name in plan.rankers},
            {name: np.full((n, TOP_N), -1, np.int32) for name in plan.rankers},
            np.zeros(n, np.int64),
            np.zeros(n, np.float64),
            SampledExamples(plan.replay, plan.examples, plan.learning),
            dict.fromkeys(plan.rankers, 0.0),
            [None] * n if plan.diagnose is not None else [],
        )

    def merge(self, partials: Sequence[PartialResult]) -> None:
        """Add the results of workers. Their order does not matter."""
        for partial in partials:
            for request in partial.ranked:
                for name, posts in request.lists.items():
                    self.ranks[name][request.number] = request.ranks[name]
                    self.lists[name][request.number, : len(posts)] = posts
                self.history_length[request.number] = request.history_length
                self.post_age[request.number] = request.post_age
                if self.diagnoses:
                    self.diagnoses[request.number] = request.diagnosis
            for example in partial.examples:
                self.examples.add(example)
            for name, seconds in partial.seconds.items():
                self.seconds[name] += seconds


def replay_rankers(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    samples_all: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    diagnose: Diagnose | None = None,
    at_split: AtSplit | None = None,
) -> ReplayResult:
    """Rank up to `max_requests` requests of the test part. The replay must not have started.

    For learned rankers, the replay samples training examples in the warm-up and up to the last refit in the test part.
    With `samples_all` it samples them to the end, for a final fit on everything. `diagnose` examines each request
    before the rankers do. `at_split` is called once, at the start of the test part. The number of `workers` (default:
    see `worker_count`) changes the time only. Raises ChildProcessError when a worker process is killed.
    """
    learns = bool(LEARNED_RANKERS & set(rankers))
    schedule = RefitSchedule.of(replay, learns=learns)
    examples = _examples(replay, learning, schedule, learns, samples_all, keep_full=diagnose is not None)
    plan = ReplayPlan(
        replay, tuple(rankers), replay.test_requests(max_requests), examples, learning, diagnose
    )
    result = ReplayResult.empty(plan)
    model = None
    with ReplayWorkers(plan, worker_count(workers, len(plan.event_rows))) as processes:
        for refit_time in schedule.due(plan.last_time):
            result.merge(processes.process_until(refit_time, model, progress))
            model = _refit(result, refit_time, learning) if learns else None
            if at_split is not None and refit_time == replay.test_from:
                at_split(model)
        result.merge(processes.process_until(np.inf, model, progress))
    return result


def _examples(
    replay: Replay,
    learning: LearningOptions,
    schedule: RefitSchedule,
    learns: bool,
    samples_all: bool,
    *,
    keep_full: bool,
) -> TrainingExamples:
    if samples_all:
        return training_examples(replay, learning)
    if learns:
        return training_examples(replay, learning, schedule.times[-1], keep_full=keep_full)
    return no_examples()


def _refit(result: ReplayResult, time: float, learning: LearningOptions) -> ChoiceModel | None:
    """The model as of a time; None while there are too few examples. It is calibrated if there are diagnoses."""
    examples = result.examples
    if examples.count_known(time) < _MIN_EXAMPLES:
        return None
    # Full choice sets only calibrate probabilities, and only a diagnosis reads those.
    full = examples.full_choice_sets(time) if result.diagnoses else []
    result.fits.append(select_model(examples.choice_sets(time), full, learning))
    return result.fits[-1].model
