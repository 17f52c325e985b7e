"""The requests of a replay in order of time, in blocks: each is scored before anything learns from it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking import user_features
from training.evaluation.replay_job import FittedRanking, Progress, RankedRequest, ReplayPlan
from training.evaluation.training_engine import TrainingEngine
from training.learning.calibration import FullChoiceSet
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import SampledExample, SampledExamples
from training.learning.training_examples import TrainingExamples, training_examples
from training.replay.replay import Replay


def requests_around(
    replay: Replay, learning: LearningOptions, newest: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Event rows of requests in order of time: a sample of those before the test part as training draws it, the
    `newest` of these, and all in the test part.
    """
    times = replay.events.time[replay.requests]
    before, after = replay.requests[times < replay.test_from], replay.requests[times >= replay.test_from]
    sample = np.unique(training_examples(replay, learning, replay.test_from).requests)
    return sample, before[-newest:], after


@dataclass(frozen=True, slots=True, eq=False)
class RequestBlock:
    """Some requests to score, and those whose outcome became known until the block ended.

    requests  (n,) numbers of the requests to score, in order of time
    full      (n,) all their candidates
    ranks     ranker -> (n,) ranks of the chosen posts
    known     (m,) numbers of requests to learn from, in the order in which their outcomes became known
    until     the end of the block in seconds
    """

    requests: NDArray[np.intp]
    full: list[FullChoiceSet]
    ranks: dict[str, NDArray[np.int64]]
    known: NDArray[np.intp]
    until: float


class RequestStream:
    """Numbers the requests of a replay, and samples the examples of each.

    A request gives the examples that training would learn from: at the choice, and at the user's earlier first view of
    the post. It is scored at the choice.

    rows    (n,) event rows of the requests, in order of time
    users   (n,) rows of their users
    """

    def __init__(
        self, replay: Replay, rows: NDArray[np.intp], score_from: float, learning: LearningOptions
    ) -> None:
        """`rows` are in order of time. Requests from `score_from` (seconds) on are scored."""
        self._replay, self._learning, self._score_from = replay, learning, score_from
        self.rows, self.users = rows, replay.events.user[rows]
        times = replay.events.time
        first = replay.first_interactions(rows)
        viewed = np.flatnonzero(times[first] < times[rows])
        event_rows = np.concatenate([rows, first[viewed]])
        request = np.concatenate([np.arange(len(rows)), viewed])
        order = np.argsort(event_rows, kind="stable")
        is_choice = order < len(rows)
        full = is_choice & (times[event_rows[order]] >= score_from)
        self._request_of = request[order]
        self._examples = TrainingExamples(event_rows[order], rows[self._request_of], full)
        self._samples = SampledExamples(replay, self._examples, learning)
        self._known_at = np.maximum(times[rows], replay.complete_at(rows))
        self._by_request = np.argsort(self._request_of, kind="stable")
        self._first_of = np.searchsorted(self._request_of[self._by_request], np.arange(len(rows) + 1))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs of the examples."""
        return user_features.names(**self._replay.optional_inputs)

    @property
    def times(self) -> NDArray[np.float64]:
        """(n,) seconds of the requests."""
        times: NDArray[np.float64] = self._replay.events.time[self.rows]
        return times

    def known_before(self, time: float) -> NDArray[np.intp]:
        """(n,) numbers of the requests whose outcome is known before a time, in the order in which it became known."""
        order = np.argsort(self._known_at, kind="stable")
        known: NDArray[np.intp] = order[self._known_at[order] < time]
        return known

    def examples_of(self, requests: NDArray[np.intp]) -> ChoiceSets:
        """The choice sets of requests that a block has returned as known."""
        rows = [self._by_request[self._first_of[one] : self._first_of[one + 1]] for one in requests.tolist()]
        return self._samples.select(np.concatenate(rows))

    def blocks(
        self, size: int, rankers: tuple[str, ...], engine: TrainingEngine, progress: Progress
    ) -> Iterator[RequestBlock]:
        """The requests from `score_from` on, about `size` in each block. The first block has none to score.

        `rankers` rank each request over the whole catalogue.
        """
        times = self.times
        scored = np.flatnonzero(times >= self._score_from)
        ranked = self.rows[scored] if rankers else self.rows[:0]
        plan = ReplayPlan(
            self._replay,
            rankers,
            ranked,
            self._examples,
            self._learning,
            None,
            np.empty(0, np.intp),
        )
        bounds = [self._score_from, *times[scored[size::size]].tolist(), np.inf]
        started = -np.inf
        with engine.start(plan) as executor:
            for until in dict.fromkeys(bounds):
                full: dict[int, FullChoiceSet] = {}
                ranks: dict[str, dict[int, int]] = {name: {} for name in rankers}
                for result in executor.process_until(until, FittedRanking(), progress):
                    if isinstance(result, SampledExample):
                        if result.full is not None:
                            full[int(self._request_of[result.number])] = result.full
                        self._samples.add(replace(result, full=None))
                    elif isinstance(result, RankedRequest):
                        for name, (ranking, _) in result.ranked.items():
                            ranks[name][int(scored[result.number])] = ranking.rank
                requests = scored[(times[scored] >= started) & (times[scored] < until)]
                known = self.known_before(until)
                yield RequestBlock(
                    requests,
                    [full.get(one, _NO_CANDIDATES) for one in requests.tolist()],
                    {
                        name: np.array([of[one] for one in requests.tolist()], np.int64)
                        for name, of in ranks.items()
                    },
                    known[self._known_at[known] >= started],
                    until,
                )
                started = until


_NO_CANDIDATES = FullChoiceSet(np.empty((0, 10), np.float16), -1, -1)
"""A request for which no source nominated a post: the chosen one is on no page."""
