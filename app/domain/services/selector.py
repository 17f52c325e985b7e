"""Port: making a page of scored posts."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext


class Selector(Protocol):
    """Chooses and orders what stands on one page."""

    def __call__(
        self, context: RankingContext, rows: NDArray[np.intp], values: NDArray[np.float64], size: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Positions in `rows` (sorted by `values`, best first) for a page of `size`, and their scores, never rising."""
