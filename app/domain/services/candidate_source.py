"""Port: nominating posts."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.services.ranking_context import RankingContext


class CandidateSource(Protocol):
    """Names posts a user may want; eligibility and order are others' business."""

    @property
    def name(self) -> str:
        """Unique among the sources of a pipeline."""

    @property
    def reason(self) -> Reason:
        """What a post that only this source explains is shown for."""

    def __call__(self, context: RankingContext) -> NDArray[np.intp]:
        """Post rows, best first, without repeats."""
