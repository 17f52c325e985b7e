"""Evaluates continuous training on a past feed, beside a full training each day and weights that never change."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.time_units import DAY
from app.domain.ranking.choice_model import ChoiceModel
from app.shared.exceptions import ConfigurationError
from training.continuous.continuous_training import (
    MAX_STEP,
    ContinuousOptions,
    ContinuousTraining,
    rank_of_choice,
)
from training.continuous.request_stream import RequestBlock, RequestStream, requests_around
from training.evaluation.acceptance import Comparison, compare
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.replay_job import Progress
from training.evaluation.training_engine import TrainingEngine
from training.learning.calibration import FullChoiceSet
from training.learning.model_selection import LearningOptions, select_model
from training.replay.replay import Replay

FROZEN, DAILY, CONTINUOUS, BEST = "frozen", "daily", "continuous", "best"
FORMULA: Final = "formula"
CURVE_STEP: Final = 500
"""Requests of one point of the curve."""
_MIN_EXAMPLES: Final = 50


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion of continuous training after `requests` scored requests, at `time` (seconds)."""

    requests: int
    time: float
    comparison: Comparison


@dataclass(slots=True, eq=False)
class ContinuousResult:
    """The ranks of the chosen posts at the scored requests.

    times       (n,) seconds
    users       (n,) rows of users
    ranks       name -> (n,) ranks: FROZEN, DAILY, CONTINUOUS, FORMULA; BEST after a change, 0 before it
    changed     number of the first request after the change of behaviour; 0 if none is known
    """

    times: NDArray[np.float64]
    users: NDArray[np.integer]
    ranks: dict[str, NDArray[np.int64]]
    changed: int = 0
    promotions: list[Promotion] = field(default_factory=list)

    def against(self, other: str, first: int = 0) -> Comparison:
        """Continuous training against another policy, from request `first` on."""
        ranks, others = self.ranks[CONTINUOUS][first:], self.ranks[other][first:]
        return compare(ranks, others, self.users[first:])

    def curve(self, size: int = CURVE_STEP) -> Iterator[tuple[int, dict[str, float]]]:
        """The number of the first of each `size` requests, and their mean NDCG@10 by each policy that has ranks.

        With a change of behaviour, the parts are counted from it: one ends there.
        """
        n = len(self.users)
        bounds = sorted({0, *range(self.changed % size, n, size), n})
        for start, end in pairwise(bounds):
            ranks = {name: of_policy[start:end] for name, of_policy in self.ranks.items()}
            yield (
                start,
                {name: float(ndcg_of_rank(some).mean()) for name, some in ranks.items() if some.all()},
            )

    def to_json(self) -> dict[str, Any]:
        """The result as one document."""
        others = [name for name in self.ranks if name not in (CONTINUOUS, BEST)]
        after = {"after_change": self.changed} if BEST in self.ranks else {}
        return {
            "requests": len(self.users),
            **after,
            "against": {name: asdict(self.against(name)) for name in others},
            "promotions": [asdict(one) for one in self.promotions],
            "curve": [{"from": start, "ndcg@10": ndcg} for start, ndcg in self.curve()],
        }


def evaluate_continuous(
    replay: Replay,
    learning: LearningOptions,
    options: ContinuousOptions,
    *,
    max_requests: int,
    engine: TrainingEngine,
    changed_at: float | None = None,
    progress: Progress = lambda _done, _total: None,
    full_trainings: bool = True,
    step: int = MAX_STEP,
) -> ContinuousResult:
    """Replay the requests of the test part in order, the first `max_requests` of them.

    All policies start with the weights of a full training at the start of the test part. With `changed_at` (seconds),
    BEST are the weights that are fitted on requests after it alone: every second one of these requests is ranked with
    weights of the others. Without `full_trainings` there is no DAILY, which saves their time.

    Raises ConfigurationError if there are too few requests to start with. The replay must not have started.
    """
    sample, newest, scored = requests_around(replay, learning, options.newest)
    scored = scored[:max_requests]
    if not len(scored):
        raise ConfigurationError("no request to evaluate in the test part; use an earlier --test-from")
    rows = np.unique(np.concatenate([sample, newest, scored]))
    stream = RequestStream(replay, rows, replay.test_from, learning)
    uniform = replay.hashes(rows) <= replay.hashes(sample).max(initial=0)
    full_training = _FullTraining(replay, stream, uniform, learning)
    blocks = stream.blocks(step, (FORMULA,), engine, progress)
    policies = _Policies(full_training, stream, next(blocks), options, full_trainings=full_trainings)
    kept: dict[int, FullChoiceSet] = {}
    for block in blocks:
        policies.process(block)
        if changed_at is not None:
            kept |= dict(zip(block.requests.tolist(), block.full, strict=True))
    numbers = np.flatnonzero(stream.times >= replay.test_from)
    times = stream.times[numbers]
    ranks = {name: np.concatenate(parts) for name, parts in policies.ranks.items()}
    if changed_at is not None:
        ranks[BEST] = _best(full_training, stream, numbers, kept, changed_at)
    changed = 0 if changed_at is None else int(np.searchsorted(times, changed_at))
    return ContinuousResult(times, stream.users[numbers], ranks, changed, policies.promotions)


class _Policies:
    """The weights of each policy, which rank one block after another."""

    def __init__(
        self,
        full_training: "_FullTraining",
        stream: RequestStream,
        start: RequestBlock,
        options: ContinuousOptions,
        *,
        full_trainings: bool,
    ) -> None:
        if len(start.known) < _MIN_EXAMPLES:
            raise ConfigurationError(
                f"{len(start.known)} requests before the test part are too few to start with; "
                f"{_MIN_EXAMPLES} are needed: use a later --test-from or a longer log"
            )
        self._full_training = full_training
        self._frozen = self._daily = full_training.fit(start.until)
        self._next_day = start.until + DAY
        self.continuous = ContinuousTraining(self._frozen, stream, options)
        self.continuous.learn(start.known.tolist())
        names = (FROZEN, DAILY, CONTINUOUS, FORMULA) if full_trainings else (FROZEN, CONTINUOUS, FORMULA)
        self.ranks: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
        self.promotions: list[Promotion] = []
        self._n_scored = 0

    def process(self, block: RequestBlock) -> None:
        """Rank the requests of a block, then learn from those whose outcome is known."""
        self.ranks[FROZEN].append(_ranks(self._frozen, block))
        self.ranks[CONTINUOUS].append(self.continuous.score(block.requests, block.full))
        self.ranks[FORMULA].append(block.ranks[FORMULA])
        self._n_scored += len(block.requests)
        self.continuous.learn(block.known.tolist())
        if (promoted := self.continuous.promote_if_better()) is not None:
            self.promotions.append(Promotion(self._n_scored, block.until, promoted))
        if DAILY in self.ranks:
            self.ranks[DAILY].append(_ranks(self._daily, block))
            if self._next_day <= block.until < np.inf:
                self._daily = self._full_training.fit(block.until)
                self._next_day = block.until + DAY


class _FullTraining:
    """Fits weights as a full training does: on a uniform sample of the requests of the last two thirds."""

    def __init__(
        self, replay: Replay, stream: RequestStream, uniform: NDArray[np.bool_], learning: LearningOptions
    ) -> None:
        self._event_times = replay.events.time
        self._stream, self._uniform, self._learning = stream, uniform, learning
        self._hashes = replay.hashes(stream.rows)

    def fit(self, until: float) -> ChoiceModel:
        """The weights of a training at a time in seconds."""
        past = int(np.searchsorted(self._event_times, until))
        since = self._event_times[past // 3]
        known = self._stream.known_before(until)
        return self.fit_on(known[self._uniform[known] & (self._stream.times[known] >= since)])

    def fit_on(self, requests: NDArray[np.intp]) -> ChoiceModel:
        """The weights of some requests; of too many, those with the smallest hashes."""
        by_hash = np.argsort(self._hashes[requests], kind="stable")
        requests = np.sort(requests[by_hash[: self._learning.requests]])
        return select_model(self._stream.examples_of(requests), [], self._learning).model


def _ranks(model: ChoiceModel, block: RequestBlock) -> NDArray[np.int64]:
    return np.array([rank_of_choice(model, choice) for choice in block.full], np.int64)


def _best(
    training: _FullTraining,
    stream: RequestStream,
    scored: NDArray[np.intp],
    full: Mapping[int, FullChoiceSet],
    changed_at: float,
) -> NDArray[np.int64]:
    """(n,) ranks by the weights of the other half of the requests after a change; 0 before it."""
    found = np.zeros(len(scored), np.int64)
    after = scored[stream.times[scored] >= changed_at]
    halves = after[::2], after[1::2]
    if min(map(len, halves)) < _MIN_EXAMPLES:
        raise ConfigurationError(f"{len(after)} requests after the change are too few to learn from")
    place = np.full(len(stream.rows), -1)
    place[scored] = np.arange(len(scored))
    for learned, ranked in (halves, halves[::-1]):
        model = training.fit_on(learned)
        found[place[ranked]] = [rank_of_choice(model, full[one]) for one in ranked.tolist()]
    return found
