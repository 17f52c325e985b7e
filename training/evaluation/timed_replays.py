"""Replays one feed with different options, within a bounded time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import FeedDataset
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.learning.training_options import TrainingOptions
from training.replay.replay import Replay

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class TimedReplays:
    """Measures options on a feed.

    max_requests  of each replay
    seconds       for all replays together
    workers       as in `replay_rankers`
    """

    dataset: FeedDataset
    max_requests: int
    seconds: float
    workers: int | None = None
    clock: Callable[[], float] = perf_counter

    def ndcg(
        self, rankers: Sequence[str], options: TrainingOptions
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int32]]:
        """ranker -> (n_requests,) NDCG@10, and the user of each request."""
        replay = Replay(self.dataset, options.ranking, seed=options.learning.seed)
        result = replay_rankers(
            replay, rankers, options.learning, max_requests=self.max_requests, workers=self.workers
        )
        ndcg = {name: ndcg_of_rank(ranks) for name, ranks in result.ranks.items()}
        return ndcg, replay.events.user[result.requests]

    def while_time(self, started: float, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items while another one can end in time, if it takes as long as the longest so far.

        `started` is the clock's time before the first replay.
        """
        longest, last = 0.0, started
        for item in items:
            now = self.clock()
            longest, last = max(longest, now - last), now
            if now - started + longest > self.seconds:
                return
            yield item
