"""Port: collaborative filtering of one user against all posts."""

from typing import Protocol

from app.domain.feed.group_sums import GroupSums
from app.domain.services.ranking_context import RankingContext


class Recommender(Protocol):
    """Scores posts by what users similar to this one engaged with."""

    def scores(self, context: RankingContext) -> GroupSums:
        """One sum per post row: similarity of each neighbour times the weight of their engagement."""
