"""Continuous training: fits candidate weights on the newest requests, and promotes them when they prove better."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.continuous.promotion import MIN_REQUESTS, PairedRanks
from training.continuous.recent_requests import MAX_NEWEST, MAX_OLDER, RecentRequests
from training.continuous.request_stream import RequestStream
from training.evaluation.acceptance import Comparison
from training.learning.calibration import FullChoiceSet
from training.learning.fit_logit import fit_near

MAX_STEP: Final = 250
"""Requests that are scored by the same candidate weights; then it learns from them."""


@dataclass(frozen=True, slots=True)
class ContinuousOptions:
    """The sizes of continuous training.

    newest        requests to learn from
    older         requests to learn from that are older than those
    pull          weight of the squared distance to the serving weights, against the mean log likelihood
    min_requests  requests before a promotion
    """

    newest: int = MAX_NEWEST
    older: int = MAX_OLDER
    pull: float = 1e-3
    min_requests: int = MIN_REQUESTS
    seed: int = 0


class ContinuousTraining:
    """The weights that serve, and the candidate weights that learn.

    Each request of `stream` is scored by `score` first. `learn` then takes it into the examples and fits the candidate.
    """

    def __init__(self, serving: ChoiceModel, stream: RequestStream, options: ContinuousOptions) -> None:
        self.serving = self.candidate = serving
        self._stream, self._options = stream, options
        self._recent = RecentRequests(options.newest, options.older, seed=options.seed)
        self.ranks = PairedRanks()

    def score(self, requests: NDArray[np.intp], full: Sequence[FullChoiceSet]) -> NDArray[np.int64]:
        """(n,) ranks of the chosen posts by the serving weights; adds them and the candidate's to the comparison."""
        serving = np.array([rank_of_choice(self.serving, choice) for choice in full], np.int64)
        candidate = np.array([rank_of_choice(self.candidate, choice) for choice in full], np.int64)
        users = self._stream.users[requests]
        for row in zip(users.tolist(), serving.tolist(), candidate.tolist(), strict=True):
            self.ranks.add(*row)
        return serving

    def learn(self, requests: Iterable[int]) -> None:
        """Learn from requests whose outcome is known, in order of time."""
        for request in requests:
            self._recent.add(request, int(self._stream.users[request]))
        numbers = self._recent.numbers()
        if len(numbers):
            examples = self._stream.examples_of(numbers)
            self.candidate = fit_near(self.serving, examples, self._options.pull, self.candidate)

    def promote_if_better(self) -> Comparison | None:
        """Let the candidate serve if it may; returns the comparison that decided it, None if it may not yet."""
        found = self.ranks.promotion(self._options.min_requests)
        if found is not None:
            self.serving, self.ranks = self.candidate, PairedRanks()
        return found


def rank_of_choice(model: ChoiceModel, choice: FullChoiceSet) -> int:
    """The rank of the chosen post, from 1, among the candidates of a request; behind them if it is none.

    The chosen post is in the middle of those with an equal utility.
    """
    if choice.chosen < 0:
        return len(choice.inputs.T) + 1
    utility = model.utilities(choice.inputs.astype(np.float32))
    chosen = utility[choice.chosen]
    return 1 + int((utility > chosen).sum()) + (int((utility == chosen).sum()) - 1) // 2
