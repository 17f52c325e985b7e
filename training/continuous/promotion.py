"""Decides when candidate weights replace the serving ones: after enough requests that neither had learned from."""

from collections import Counter
from typing import Final

import numpy as np

from training.continuous.recent_requests import MAX_PER_USER
from training.evaluation.acceptance import Comparison, compare

MIN_REQUESTS: Final = 2000
MIN_RELATIVE_LOW: Final = -0.01
"""Of the interval of the relative difference in NDCG@10; its mean must be above 0."""


class PairedRanks:
    """The ranks of the chosen posts by serving and by candidate weights, each before they learned from the request.

    Of each user, only the first `per_user` requests count.
    """

    def __init__(self, per_user: int = MAX_PER_USER) -> None:
        self._per_user = per_user
        self._requests_of: Counter[int] = Counter()
        self._rows: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, user: int, serving: int, candidate: int) -> None:
        """Add the ranks of one request, from 1."""
        self._requests_of[user] += 1
        if self._requests_of[user] <= self._per_user:
            self._rows.append((user, serving, candidate))

    def comparison(self) -> Comparison:
        """The candidate against the serving weights, so far."""
        users, serving, candidate = np.array(self._rows, np.int64).reshape(-1, 3).T
        return compare(candidate, serving, users)

    def promotion(self, min_requests: int = MIN_REQUESTS) -> Comparison | None:
        """The comparison that lets the candidate replace the serving weights; None: collect more requests."""
        if len(self) < min_requests:
            return None
        found = self.comparison()
        return found if found.gain > 0 and found.low > MIN_RELATIVE_LOW else None
