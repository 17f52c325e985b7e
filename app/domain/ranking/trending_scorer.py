"""Scores posts by decayed engagement, for users without events and for a service without a model."""

from typing import Any

import numpy as np

from app.domain.entities import Reason
from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import HOUR
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Rows, Scored

_NEWNESS_WEIGHT = 1e-3  # far less than one new event, so it orders only posts without engagement


def nearest_half_life(seconds: float) -> int:
    """The position in HALF_LIVES of the half-life nearest to `seconds`, on a logarithmic scale."""
    return int(np.argmin(np.abs(np.log(np.array(HALF_LIVES) / seconds))))


class TrendingScorer:
    """Score: decayed engagement / its largest value, plus newness / 1000, where newness = 1 / (1 + age in hours)."""

    def __init__(self, half_life_seconds: float) -> None:
        """Uses the counted half-life nearest to `half_life_seconds`."""
        self._half_life = nearest_half_life(half_life_seconds)

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """See `Scorer`."""
        state, now = context.state, context.now
        half_life = slice(self._half_life, self._half_life + 1)
        top = state.post_counters.top_k(self._half_life, 1)
        engagement = state.post_counters.values(now, rows, half_life)[0]
        largest = max(
            state.post_counters.values(now, top, half_life).max(initial=0.0), engagement.max(initial=0.0)
        )
        newness = _NEWNESS_WEIGHT / (1.0 + np.maximum(now - state.created[rows], 0.0) / HOUR)
        values = (engagement / (largest or 1.0) + newness) / (1.0 + _NEWNESS_WEIGHT)

        def reasons(at: Rows) -> list[Reason | None]:
            engaged = engagement[at] > newness[at]
            return [Reason.TRENDING if one else None for one in engaged.tolist()]

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [{"trending": round(float(value), 4)} for value in engagement[at]]

        return Scored(values, reasons, explanations)
