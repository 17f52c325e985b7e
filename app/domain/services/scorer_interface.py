"""Port: scores candidates for one user at one time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of n candidates, and functions that explain them, which are called for the posts of a page only.

    values        (n,) in [0, 1], comparable within one response
    reasons       positions in `values` -> the reason to show each post; None: the reason of the post's source
    explanations  positions in `values` -> the parts of each score, for `explain`
    """

    values: NDArray[np.float64]
    reasons: Callable[[Rows], list[Reason | None]]
    explanations: Callable[[Rows], list[dict[str, Any]]]


class Scorer(Protocol):
    """Scores all candidates of a request in one call."""

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """The scores of the posts `rows` (n,)."""
