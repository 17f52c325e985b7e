"""The work of a replay: it ranks test requests and samples training examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
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
"""Examines one test request with the current model. It and what it returns are sent to and from workers by pickle."""
Progress = Callable[[int, int], None]
"""Is called with the number of event rows that are processed, and of all."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayPlan:
    """The work of a replay. Each worker receives a copy before the replay starts.

    replay    has not started
    rankers   names, with AGAINST if there is an order `against`
    requests  (n,) event rows of the test requests, in order of time
    examples  the training examples to sample
    learning  the options of sampling
    diagnose  examines each test request before the rankers do
    against   the order that the feed has now
    """

    replay: Replay
    rankers: tuple[str, ...]
    requests: NDArray[np.intp]
    examples: TrainingExamples
    learning: LearningOptions
    diagnose: Diagnose | None
    against: Against | None = None

    @property
    def event_rows(self) -> NDArray[np.intp]:
        """Event rows of all test requests and training examples, in order of time."""
        return np.union1d(self.requests, self.examples.event_rows)


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
        self._sampler = CandidateSampler(plan.replay, plan.examples, plan.learning)

    def process_until(
        self, stop: float, model: ChoiceModel | None, progress: Progress
    ) -> list[RankedRequest | SampledExample]:
        """Process the remaining event rows before the time `stop` with a model, and return the results."""
        results: list[RankedRequest | SampledExample] = []
        total = len(self._events)
        while self._next < total and self._times[self._next] < stop:
            event = self._events.item(self._next)
            request = self._plan.replay.request_at(event)
            if event in self._request_number:
                results.append(self._rank(request, model))
            if event in self._example_number:
                results.append(self._sampler.sample(self._example_number[event], request))
            self._next += 1
            progress(self._next, total)
        return results

    def _rank(self, request: ReplayRequest, model: ChoiceModel | None) -> RankedRequest:
        diagnosis = self._plan.diagnose(request, model) if self._plan.diagnose else None
        ranked = {}
        for name in self._plan.rankers:
            started = perf_counter()
            ranking = self._rank_with(name, request, model)
            ranked[name] = ranking, perf_counter() - started
        number = self._request_number[request.event]
        return RankedRequest(number, ranked, diagnosis)

    def _rank_with(self, name: str, request: ReplayRequest, model: ChoiceModel | None) -> Ranked:
        if name == AGAINST and self._plan.against is not None:
            if not isinstance(self._plan.against, str):
                return rank_by_list(request, self._plan.against[request.event])
            name = self._plan.against
        return rank(name, self._plan.replay.options, request, model)
