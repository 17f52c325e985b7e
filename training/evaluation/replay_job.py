"""The work of a replay: it ranks test requests and samples training examples."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.rankers import ranker
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import CandidateSampler, SampledExample
from training.learning.training_examples import TrainingExamples
from training.replay.replay import Replay, ReplayRequest

Diagnose = Callable[[ReplayRequest, ChoiceModel | None], Any]
"""Examines one test request with the current model. It and what it returns are sent to and from workers by pickle."""
Progress = Callable[[int, int], None]
"""Is called with the number of times that are processed, and of all."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayPlan:
    """The work of a replay. Each worker receives a copy before the replay starts.

    replay    has not started
    rankers   names
    requests  (n,) event rows of the test requests, in order of time
    examples  the training examples to sample
    learning  the options of sampling
    diagnose  examines each test request before the rankers do
    """

    replay: Replay
    rankers: tuple[str, ...]
    requests: NDArray[np.intp]
    examples: TrainingExamples
    learning: LearningOptions
    diagnose: Diagnose | None

    @property
    def event_rows(self) -> NDArray[np.intp]:
        """Event rows of all test requests and training examples, in order of time."""
        return np.union1d(self.requests, self.examples.event_rows)

    @property
    def last_time(self) -> float:
        """Time of the last event row, in seconds."""
        return float(self.replay.events.time[self.event_rows].max(initial=-np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class RankedRequest:
    """The results of one test request.

    number          of the request in the plan
    ranks           ranker -> rank of the chosen post, from 1
    lists           ranker -> post rows of the first places
    history_length  events of the user before the request
    post_age        seconds since the chosen post was created
    diagnosis       what the plan's `diagnose` returned
    """

    number: int
    ranks: dict[str, int]
    lists: dict[str, NDArray[np.int32]]
    history_length: int
    post_age: float
    diagnosis: Any


@dataclass(slots=True, eq=False)
class PartialResult:
    """Results of one worker since its last `drain`. `seconds` is the time of each ranker."""

    ranked: list[RankedRequest] = field(default_factory=list)
    examples: list[SampledExample] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class ReplayJob:
    """Processes every `step`-th time of a plan, starting with number `first`.

    The results depend on the plan and the models only, not on the number of workers.
    """

    def __init__(self, plan: ReplayPlan, first: int = 0, step: int = 1) -> None:
        self._plan, self._next, self._step = plan, first, step
        self._event_rows = plan.event_rows
        # A view and a choice at the same time share their ranking context, so the same worker processes both.
        self._times, starts = np.unique(plan.replay.events.time[self._event_rows], return_index=True)
        self._groups = np.split(np.arange(len(self._event_rows)), starts[1:])
        self._request_number = _positions(self._event_rows, plan.requests)
        self._example_number = _positions(self._event_rows, plan.examples.event_rows)
        self._sampler = CandidateSampler(plan.replay, plan.examples, plan.learning)
        self._model: ChoiceModel | None = None
        self._rankers = {
            name: ranker(name, plan.replay.options, lambda: self._model) for name in plan.rankers
        }
        self._partial = PartialResult()

    def process_until(
        self, stop: float, model: ChoiceModel | None, progress: Progress | None = None
    ) -> PartialResult:
        """Process the remaining event rows before the time `stop` with a model, and return the results."""
        self._model = model
        total = len(self._times)
        while self._next < total and self._times[self._next] < stop:
            self.process(self._next)
            self._next += self._step
            if progress is not None:
                progress(min(self._next, total), total)
        return self.drain()

    def process(self, group: int) -> None:
        """Process the event rows of one time."""
        for position in self._groups[group].tolist():
            request = self._plan.replay.request_at(self._event_rows.item(position))
            number = self._request_number.item(position)
            example = self._example_number.item(position)
            if number >= 0:
                self._partial.ranked.append(self._rank(number, request))
            if example >= 0:
                self._partial.examples.append(self._sampler.sample(example, request))

    def drain(self) -> PartialResult:
        """Return the results so far, and start with empty ones."""
        partial, self._partial = self._partial, PartialResult()
        return partial

    def _rank(self, number: int, request: ReplayRequest) -> RankedRequest:
        diagnose = self._plan.diagnose
        diagnosis = None if diagnose is None else diagnose(request, self._model)
        ranks, lists, seconds = {}, {}, self._partial.seconds
        for name, rank in self._rankers.items():
            started = perf_counter()
            ranked = rank(request)
            seconds[name] = seconds.get(name, 0.0) + perf_counter() - started
            ranks[name], lists[name] = ranked.rank, ranked.top.astype(np.int32)
        age = request.time - float(request.state.created[request.target])
        return RankedRequest(number, ranks, lists, request.context.event_count, age, diagnosis)


def _positions(rows: NDArray[np.intp], subset: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n_rows,) position of each row in an ascending `subset` of the rows, -1 for the others."""
    positions = np.full(len(rows), -1, np.intp)
    positions[np.searchsorted(rows, subset)] = np.arange(len(subset))
    return positions
