"""Runs rankers over a replay. Learned rankers are fitted on the warm-up, and refitted as the feed grows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.rankers import LEARNED_RANKERS, TOP_N
from training.evaluation.replay_job import AGAINST, Against, Diagnose, Progress, RankedRequest, ReplayPlan
from training.evaluation.replay_workers import ReplayWorkers, worker_count
from training.learning.model_selection import FitResult, LearningOptions, select_model
from training.learning.negative_sampling import SampledExample, SampledExamples
from training.learning.training_examples import TrainingExamples, training_examples
from training.replay.replay import Replay

_MIN_EXAMPLES = 200


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

    def __init__(self, plan: ReplayPlan) -> None:
        self.requests = plan.requests
        n = len(plan.requests)
        self.ranks = {name: np.zeros(n, np.int64) for name in plan.rankers}
        self.lists = {name: np.full((n, TOP_N), -1, np.int32) for name in plan.rankers}
        self.history_length = plan.replay.history_lengths(plan.requests)
        events, timeline = plan.replay.dataset.events, plan.replay.timeline
        self.post_age = events.time[plan.requests] - timeline.exists_since[events.post[plan.requests]]
        self.examples = SampledExamples(plan.replay, plan.examples, plan.learning)
        self.seconds = dict.fromkeys(plan.rankers, 0.0)
        self.diagnoses: list[Any] = [None] * n if plan.diagnose else []
        self.fits: list[FitResult] = []

    def add(self, results: Sequence[RankedRequest | SampledExample]) -> None:
        """Add results of workers. Their order does not matter."""
        for result in results:
            if isinstance(result, SampledExample):
                self.examples.add(result)
                continue
            for name, (ranking, seconds) in result.ranked.items():
                self.ranks[name][result.number] = ranking.rank
                self.lists[name][result.number, : len(ranking.top)] = ranking.top
                self.seconds[name] += seconds
            if self.diagnoses:
                self.diagnoses[result.number] = result.diagnosis


def replay_rankers(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    samples_all: bool = False,
    workers: int | None = None,
    progress: Progress = lambda _done, _total: None,
    diagnose: Diagnose | None = None,
    at_split: Callable[[ChoiceModel | None], None] = lambda _model: None,
    against: Against | None = None,
) -> ReplayResult:
    """Rank up to `max_requests` requests of the test part. The replay must not have started.

    For learned rankers, the replay samples training examples in the warm-up and up to the last refit in the test part.
    With `samples_all` it samples them to the end, for a final fit on everything. `diagnose` examines each request
    before the rankers do. `at_split` is called once, at the start of the test part, with the first learned model (None
    if there are too few examples for one). The order `against` is ranked under the name AGAINST. The number of
    `workers` (default: see `worker_count`) changes the time only.
    Raises ChildProcessError when a worker process is killed.
    """
    fit_times, examples = [replay.test_from], TrainingExamples()
    if LEARNED_RANKERS & {*rankers, against if isinstance(against, str) else None}:
        fit_times += replay.growth_times().tolist()
        until = np.inf if samples_all else fit_times[-1]
        keep_full = samples_all or diagnose is not None
        examples = training_examples(replay, learning, until, keep_full=keep_full)
    requests = replay.test_requests(max_requests)
    names = (*rankers, *([] if against is None else [AGAINST]))
    plan = ReplayPlan(replay, names, requests, examples, learning, diagnose, against)
    last_time = replay.events.time[plan.event_rows].max(initial=replay.test_from)
    result = ReplayResult(plan)
    model = None
    with ReplayWorkers(plan, worker_count(workers, len(plan.event_rows))) as processes:
        # A fit uses only events strictly before its time, and ranks the requests from that time on.
        for fit_time in fit_times:
            if fit_time > last_time:
                break
            result.add(processes.process_until(fit_time, model, progress))
            model = _fit(result, fit_time, learning)
            if fit_time == replay.test_from:
                at_split(model)
        result.add(processes.process_until(np.inf, model, progress))
    return result


def _fit(result: ReplayResult, time: float, learning: LearningOptions) -> ChoiceModel | None:
    """The model as of a time; None while there are too few examples. It is calibrated if there are diagnoses."""
    examples = result.examples
    if examples.count_known(time) < _MIN_EXAMPLES:
        return None
    # Full choice sets only calibrate probabilities, and only a diagnosis reads those.
    full = examples.full_choice_sets(time) if result.diagnoses else []
    result.fits.append(select_model(examples.choice_sets(time), full, learning))
    return result.fits[-1].model
