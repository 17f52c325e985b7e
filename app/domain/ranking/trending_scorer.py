"""Scores posts by engagement, for users without events, and for feeds on which this ranks best."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import EvidenceKind, Reason
from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import HOUR
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Grounds, Rows, Scored, strengths_of

_NEWNESS_WEIGHT = 1e-3  # far less than one new event, so it orders only posts without engagement


def nearest_half_life(seconds: float) -> int:
    """The position in HALF_LIVES of the half-life nearest to `seconds`, on a logarithmic scale."""
    return int(np.argmin(np.abs(np.log(np.array(HALF_LIVES) / seconds))))


class TrendingScorer:
    """Score: engagement / its largest value, plus newness / 1000, where newness = 1 / (1 + age in hours)."""

    def __init__(self, half_life_seconds: float | None) -> None:
        """Decays engagement by the counted half-life nearest to `half_life_seconds`; None: counts all events alike."""
        self._half_life = None if half_life_seconds is None else nearest_half_life(half_life_seconds)

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """See `Scorer`."""
        engagement, largest = self._engagement(context, rows)
        age_seconds = np.maximum(context.now - context.state.created[rows], 0.0)
        newness = _NEWNESS_WEIGHT / (1.0 + age_seconds / HOUR)
        values = (engagement / (largest or 1.0) + newness) / (1.0 + _NEWNESS_WEIGHT)

        def grounds(at: Rows) -> Grounds:
            engaged = engagement[at] > newness[at]
            return Grounds(
                [Reason.TRENDING if one else None for one in engaged.tolist()],
                strengths_of({EvidenceKind.TRENDING: engagement[at], EvidenceKind.NEW: newness[at]}, len(at)),
            )

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [{"trending": round(float(value), 4)} for value in engagement[at]]

        return Scored(values, grounds, explanations)

    def _engagement(self, context: RankingContext, rows: Rows) -> tuple[NDArray[np.float64], float]:
        """(n,) the engagement of each post, and the largest one of the feed."""
        state, now = context.state, context.now
        if self._half_life is None:
            return state.engagements[rows].astype(np.float64), float(state.largest_engagement)
        half_life = slice(self._half_life, self._half_life + 1)
        top = state.top_posts(self._half_life, 1)
        engagement = state.post_counters.values(now, rows, half_life)[0]
        largest = max(
            state.post_counters.values(now, top, half_life).max(initial=0.0), engagement.max(initial=0.0)
        )
        return engagement, float(largest)
