"""Port: collaborative filtering of one user against all posts."""

from typing import Protocol

from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.tally import Tally


class Recommender(Protocol):
    """Scores posts by what users similar to this one engaged with."""

    def support(self, context: RankingContext) -> Tally:
        """One sum per post row: similarity of each neighbour times the weight of their engagement."""
        ...
