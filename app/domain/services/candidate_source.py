"""Port: returns candidates for a feed."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.services.ranking_context import RankingContext


class CandidateSource(Protocol):
    """Returns posts that may interest a user. Filters decide eligibility, and the scorer decides the order."""

    @property
    def name(self) -> str:
        """Unique among the sources of a pipeline."""

    @property
    def reason(self) -> Reason:
        """The reason to show a post of this source if the scorer gives none."""

    def __call__(self, context: RankingContext) -> NDArray[np.intp]:
        """(n,) post rows, best first, without duplicates."""
