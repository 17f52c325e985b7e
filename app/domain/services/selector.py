"""Port: selects the posts of a page from the ranked list."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The n posts of a page, in order.

    positions  (n,) positions in the ranked list
    values     (n,) scores, which never rise down the page
    explored   (n,) whether the post is shown to learn about it (exploration), not for its score
    """

    positions: NDArray[np.intp]
    values: NDArray[np.float64]
    explored: NDArray[np.bool_]


class Selector(Protocol):
    """Selects and orders the posts of one page."""

    def __call__(
        self,
        context: RankingContext,
        rows: NDArray[np.intp],
        values: NDArray[np.float64],
        size: int,
        earlier: NDArray[np.intp],
    ) -> Selection:
        """At most `size` of the posts `rows`, which are sorted by their scores `values`, best first.

        `earlier` are the posts of earlier pages of the same list.
        """
