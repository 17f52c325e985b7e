"""A page is not one author's: each further post of an author counts for less."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import occurrence
from app.domain.services.ranking_context import RankingContext

_LOOK_AHEAD = 10  # pages: what stands deeper does not come up, however long one author's run is


@dataclass(frozen=True, slots=True)
class AuthorSpacing:
    """Multiplies the score of an author's n-th post on a page by max(`factor` ** (n - 1), `floor`)."""

    factor: float = 0.5
    floor: float = 0.25

    def __call__(
        self, context: RankingContext, rows: NDArray[np.intp], values: NDArray[np.float64], size: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        rows, values = rows[: _LOOK_AHEAD * size], values[: _LOOK_AHEAD * size]
        author = context.state.author[rows].astype(np.intp)
        repeat = np.where(author >= 0, occurrence(author), 0)
        spaced = values * np.maximum(self.factor**repeat, self.floor)
        order = np.argsort(-spaced, kind="stable")[:size]
        return order, spaced[order]
