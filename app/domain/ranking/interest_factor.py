"""Raises posts of declared interests above others, while the user has few events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext


@dataclass(frozen=True, slots=True)
class InterestFactor:
    """Other posts count `factor` for a user without events, and `factor` ** (1 / (1 + events)) later."""

    factor: float = 0.4

    def __call__(self, context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n,) factors of the scores of `rows`; 1 for a post of a declared tag or author."""
        state = context.state
        matches = context.interests.match(state.post_words, rows, state.author[rows])
        return np.where(matches, 1.0, self.factor ** (1.0 / (1.0 + context.event_count)))
