"""Port: making a page of scored posts."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What stands on a page: `positions` in the ranked list, `values` never rising, and which are `explored`, put
    there to learn about them rather than for their score."""

    positions: NDArray[np.intp]
    values: NDArray[np.float64]
    explored: NDArray[np.bool_]


class Selector(Protocol):
    """Chooses and orders what stands on one page."""

    def __call__(
        self, context: RankingContext, rows: NDArray[np.intp], values: NDArray[np.float64], size: int
    ) -> Selection:
        """A page of at most `size` of the posts `rows`, which come sorted by `values`, best first."""
