"""Lowers the scores of posts that resemble a post in which the user was not interested."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.time_units import DAY
from app.domain.services.ranking_context import RankingContext


@dataclass(frozen=True, slots=True)
class NotInterested:
    """The factor of a post's author and of its topic (first tag) starts at `factor` and rises to 1 over `days`."""

    factor: float = 0.2
    days: float = 140.0

    def __call__(self, context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n,) factors of the scores of `rows`; 1 for a post of another author and topic."""
        posts, age_seconds = context.controls.not_interested
        factors = np.ones(len(rows))
        state = context.state
        of_post = self.factor + (1 - self.factor) * (age_seconds / (self.days * DAY)).clip(0, 1)
        for column in (state.author, state.topic):
            values = column[posts]
            same = (column[rows][:, None] == values) & (values >= 0)
            factors *= np.where(same, of_post, 1.0).min(axis=1)
        return factors
