"""Port: how good each candidate is for this user now."""

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
    """Scores of candidates and, for those that make it to a page, what carried them.

    `values` (n,) in [0, 1], comparable within one response. `reasons` and `explanations` take positions in `values`.
    """

    values: NDArray[np.float64]
    reasons: Callable[[Rows], list[Reason | None]]
    explanations: Callable[[Rows], list[dict[str, Any]]]


class Scorer(Protocol):
    """Scores whole arrays; no post is looked at alone."""

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """Scores of the posts `rows`. A reason of None leaves it to the source that nominated the post."""
