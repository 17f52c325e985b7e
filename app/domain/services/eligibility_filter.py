"""Port: what may not be shown."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext


class EligibilityFilter(Protocol):
    """One rule of eligibility."""

    @property
    def name(self) -> str:
        """What every post fulfils that the rule allows."""

    def __call__(self, context: RankingContext, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the posts `rows` the rule allows, (n,)."""
