"""The work of a replay: it ranks requests and samples training examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.simple_rankings import LEARNED
from training.evaluation.acceptance import SELECTABLE
from training.evaluation.rankers import Ranked, rank, rank_by_list
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import CandidateSampler, SampledExample
from training.learning.training_examples import TrainingExamples
from training.replay.replay import Replay, ReplayRequest

AGAINST: Final = "against"
"""The name, among the rankers of a plan, of the order that a feed has now."""
Against = str | Mapping[int, NDArray[np.intp]]
"""That order: a ranker, or event row of a request -> post rows, best first."""
Diagnose = Callable[[ReplayRequest, ChoiceModel | None], Any]
"""Examines one test request with the learned model, None while a simple ranking serves.

It and what it returns are sent to and from workers by pickle.
"""
Progress = Callable[[int, int], None]
"""Is called with the number of event rows that are processed, and of all."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedRanking:
    """What a refit of the replay gives.

    model   the learned model; None while there are too few examples
    serves  the ranking that `served` uses, as in `rank`
    """

    model: ChoiceModel | None = None
    serves: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReplayPlan:
    """The work of a replay. Each worker receives a copy before the replay starts.

    replay    has not started
    rankers   names, with AGAINST if there is an order `against`
    requests  (n,) event rows of the test requests, in order of time
    examples  the training examples to sample
    learning  the options of sampling
    diagnose  examines each test request before the rankers do
    held_out  (n,) event rows of the requests that select the ranking to serve, in order of time
    against   the order that the feed has now
    """

    replay: Replay
    rankers: tuple[str, ...]
    requests: NDArray[np.intp]
    examples: TrainingExamples
    learning: LearningOptions
    diagnose: Diagnose | None
    held_out: NDArray[np.intp]
    against: Against | None = None

    @property
    def event_rows(self) -> NDArray[np.intp]:
        """Event rows of all requests and training examples, in order of time."""
        return np.unique(np.concatenate([self.requests, self.held_out, self.examples.event_rows]))


@dataclass(frozen=True, slots=True, eq=False)
class RankedRequest:
    """The results of one test request.

    number     of the request in the plan
    ranked     ranker -> its ranking, and its time in seconds
    diagnosis  what the plan's `diagnose` returned
    """

    number: int
    ranked: dict[str, tuple[Ranked, float]]
    diagnosis: Any


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutRequest:
    """The rank of the chosen post by each ranking that could serve, for one request of `ReplayPlan.held_out`."""

    number: int
    ranks: dict[str, int]


Result = RankedRequest | SampledExample | HeldOutRequest


class ReplayJob:
    """Processes the event rows of a plan whose user row is `first` modulo `step`.

    The pages that were shown to a user affect later pages, so one worker processes all rows of a user. The results
    depend on the plan and the models only, not on the number of workers.
    """

    def __init__(self, plan: ReplayPlan, first: int = 0, step: int = 1) -> None:
        self._plan, self._next = plan, 0
        users = plan.replay.dataset.events.user[plan.event_rows]
        self._events = plan.event_rows[users % step == first]
        self._times = plan.replay.events.time[self._events]
        self._request_number = {event: number for number, event in enumerate(plan.requests.tolist())}
        self._example_number = {
            event: number for number, event in enumerate(plan.examples.event_rows.tolist())
        }
        self._held_out_number = {event: number for number, event in enumerate(plan.held_out.tolist())}
        self._sampler = CandidateSampler(plan.replay, plan.examples, plan.learning)

    def process_until(self, stop: float, fitted: FittedRanking, progress: Progress) -> list[Result]:
        """Process the remaining event rows before the time `stop`, and return the results."""
        results: list[Result] = []
        total = len(self._events)
        while self._next < total and self._times[self._next] < stop:
            event = self._events.item(self._next)
            request = self._plan.replay.request_at(event)
            if event in self._held_out_number:
                results.append(self._rank_held_out(request, fitted.model))
            if event in self._request_number:
                results.append(self._rank(request, fitted))
            if event in self._example_number:
                results.append(self._sampler.sample(self._example_number[event], request))
            self._next += 1
            progress(self._next, total)
        return results

    def _rank(self, request: ReplayRequest, fitted: FittedRanking) -> RankedRequest:
        served_model = fitted.model if fitted.serves in (None, LEARNED) else None
        diagnosis = self._plan.diagnose(request, served_model) if self._plan.diagnose else None
        ranked = {}
        for name in self._plan.rankers:
            started = perf_counter()
            ranking = self._rank_with(name, request, fitted)
            ranked[name] = ranking, perf_counter() - started
        number = self._request_number[request.event]
        return RankedRequest(number, ranked, diagnosis)

    def _rank_with(self, name: str, request: ReplayRequest, fitted: FittedRanking) -> Ranked:
        if name == AGAINST and self._plan.against is not None:
            if not isinstance(self._plan.against, str):
                return rank_by_list(request, self._plan.against[request.event])
            name = self._plan.against
        return rank(name, self._plan.replay.options, request, fitted.model, fitted.serves)

    def _rank_held_out(self, request: ReplayRequest, model: ChoiceModel | None) -> HeldOutRequest:
        options = self._plan.replay.options
        ranks = {name: rank(name, options, request, model).rank for name in SELECTABLE}
        return HeldOutRequest(self._held_out_number[request.event], ranks)
