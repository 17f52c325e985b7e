"""Runs rankers over a replay. Learned rankers are fitted on the warm-up, and refitted as the feed grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.acceptance import SELECTABLE, select_ranking
from training.evaluation.rankers import LEARNED_RANKERS, TOP_N
from training.evaluation.replay_job import (
    AGAINST,
    Against,
    Diagnose,
    FittedRanking,
    HeldOutRequest,
    Progress,
    ReplayPlan,
    Result,
)
from training.evaluation.replay_workers import LOCAL_ENGINE
from training.evaluation.training_engine import TrainingEngine
from training.learning.calibration import FullChoiceSet
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import FitResult, LearningOptions, select_model
from training.learning.negative_sampling import SampledExample, SampledExamples
from training.learning.training_examples import TrainingExamples, training_examples
from training.replay.replay import Replay

MAX_HELD_OUT: Final = 1000
"""The number of requests that select the ranking to publish, in training and at each refit of a replay."""
FitModel = Callable[[ChoiceSets, Sequence[FullChoiceSet], LearningOptions], FitResult]
_MIN_EXAMPLES: Final = 50
"""A fit needs some. It need not be good: a learned model serves only if it ranks earlier requests better."""


@dataclass(frozen=True, slots=True)
class ServedRanking:
    """The ranking that `served` uses from a time (seconds) on, and the reason."""

    since: float
    ranking: str
    reason: str


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
    fits            the learned models that ranked test requests, in order
    served          the rankings that `served` used, in order; empty if it did not select any
    test_from       start of the test part, in seconds
    """

    def __init__(self, plan: ReplayPlan) -> None:
        self.requests, self.test_from = plan.requests, plan.replay.test_from
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
        self.served: list[ServedRanking] = []
        held_out = plan.replay.events[plan.held_out]
        self._held_out_times, self._held_out_users = held_out.time, held_out.user
        self._held_out_ranks = {name: np.zeros(len(plan.held_out), np.int64) for name in SELECTABLE}

    def add(self, results: Sequence[Result]) -> None:
        """Add results of workers. Their order does not matter."""
        for result in results:
            if isinstance(result, SampledExample):
                self.examples.add(result)
                continue
            if isinstance(result, HeldOutRequest):
                for name, rank in result.ranks.items():
                    self._held_out_ranks[name][result.number] = rank
                continue
            for name, (ranking, seconds) in result.ranked.items():
                self.ranks[name][result.number] = ranking.rank
                self.lists[name][result.number, : len(ranking.top)] = ranking.top
                self.seconds[name] += seconds
            if self.diagnoses:
                self.diagnoses[result.number] = result.diagnosis

    def select_ranking(self, since: float, until: float) -> str:
        """The ranking that training would publish at the time `until`, by the held-out requests from `since` on.

        Times are in seconds. Adds the ranking to `served` if it ranks test requests.
        """
        between = slice(*np.searchsorted(self._held_out_times, [since, until]))
        users = self._held_out_users[between]
        ranks = {name: ranks[between] for name, ranks in self._held_out_ranks.items()}
        ranking, reason = select_ranking(ranks, users)
        if until >= self.test_from:
            self.served.append(ServedRanking(until, ranking, reason))
        return ranking


def replay_rankers(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    samples_all: bool = False,
    engine: TrainingEngine = LOCAL_ENGINE,
    progress: Progress = lambda _done, _total: None,
    diagnose: Diagnose | None = None,
    at_split: Callable[[ChoiceModel | None], None] = lambda _model: None,
    selects_served: bool = True,
    against: Against | None = None,
    fit_model: FitModel = select_model,
) -> ReplayResult:
    """Rank up to `max_requests` requests of the test part. The replay must not have started.

    For learned rankers, the replay samples training examples in the warm-up and up to the last refit in the test part.
    With `samples_all` it samples them to the end, for a final fit on everything. `diagnose` examines each request
    before the rankers do. `at_split` is called once, at the start of the test part, with the first learned model (None
    if there are too few examples for one). `served` uses the ranking that training would have published at the last
    refit; without `selects_served` it uses the learned model as soon as there is one. The order `against` is ranked
    under the name AGAINST. `fit_model` fits the learned models. The `engine` changes the time
    only. Raises ChildProcessError if it cannot complete the work: when a worker process is killed, for example.
    """
    used = {*rankers, against} if isinstance(against, str) else set(rankers)
    selects_served &= "served" in used
    fit_times = _fit_times(replay, used, selects_served=selects_served)
    examples = TrainingExamples()
    if LEARNED_RANKERS & used:
        until = np.inf if samples_all else fit_times[-1]
        keep_full = samples_all or diagnose is not None
        examples = training_examples(replay, learning, until, keep_full=keep_full)
    requests = replay.test_requests(max_requests)
    held_out = _held_out(replay, fit_times) if selects_served else np.empty(0, np.intp)
    names = (*rankers, *([] if against is None else [AGAINST]))
    plan = ReplayPlan(replay, names, requests, examples, learning, diagnose, held_out, against)
    last_time = replay.events.time[plan.event_rows].max(initial=replay.test_from)
    result, fitted, last_fit = ReplayResult(plan), FittedRanking(), -np.inf
    with engine.start(plan) as executor:
        # A fit uses only events strictly before its time, and ranks the requests from that time on.
        for fit_time in fit_times:
            if fit_time > last_time:
                break
            result.add(executor.process_until(fit_time, fitted, progress))
            serves = result.select_ranking(last_fit, fit_time) if selects_served else None
            fitted, last_fit = FittedRanking(_fit(result, fit_time, learning, fit_model), serves), fit_time
            if fit_time == replay.test_from:
                at_split(fitted.model)
        result.add(executor.process_until(np.inf, fitted, progress))
    return result


def _fit_times(replay: Replay, rankers: set[str], *, selects_served: bool) -> list[float]:
    """Seconds, ascending: the start of the test part, and each growth of the feed by 30 % after it.

    The model of the growth before it ranks the requests that select the first ranking to serve.
    """
    earlier = [replay.time_before_growth()] if selects_served else []
    later = replay.growth_times().tolist() if LEARNED_RANKERS & rankers else []
    return [time for time in earlier if time < replay.test_from] + [replay.test_from, *later]


def _held_out(replay: Replay, fit_times: Sequence[float]) -> NDArray[np.intp]:
    """Event rows of the requests between two fits that select the ranking to serve, in order of time."""
    rows = [replay.requests_between(*period, MAX_HELD_OUT) for period in pairwise(fit_times)]
    return np.concatenate([np.empty(0, np.intp), *rows])


def _fit(
    result: ReplayResult, time: float, learning: LearningOptions, fit_model: FitModel
) -> ChoiceModel | None:
    """The model as of a time; None while there are too few examples. It is calibrated if there are diagnoses."""
    examples, ranks_tests = result.examples, time >= result.test_from
    if examples.count_known(time) < _MIN_EXAMPLES:
        return None
    # Full choice sets only calibrate probabilities, and only a diagnosis reads those.
    full = examples.full_choice_sets(time) if result.diagnoses and ranks_tests else []
    fit = fit_model(examples.choice_sets(time), full, learning)
    if ranks_tests:
        result.fits.append(fit)
    return fit.model
