"""Ranks by decayed engagement: for users without a history, and for a service without a model."""

from typing import Any

import numpy as np

from app.domain.entities import Reason
from app.domain.feed.state import HALF_LIVES, HOUR
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Rows, Scored


class TrendingScorer:
    """Decayed engagement over its largest: for strangers, and where there is no model."""

    def __init__(self, half_life: float) -> None:
        """`half_life` in seconds; the nearest of those that are counted is taken."""
        self._column = int(np.argmin(np.abs(np.log(np.array(HALF_LIVES) / half_life))))

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        state = context.state
        column = slice(self._column, self._column + 1)
        level = state.post_counters.values(context.now, rows, column)[0]
        top = state.post_counters.top_k(self._column, 1)
        most = max(
            state.post_counters.values(context.now, top, column).max(initial=0.0), level.max(initial=0.0)
        )
        # where nothing moves, newer first: a trace of recency far below one fresh engagement
        newness = 1e-3 / (1.0 + np.maximum(context.now - state.created[rows], 0.0) / HOUR)
        values = (level / (most or 1.0) + newness) / (1.0 + 1e-3)

        def reasons(at: Rows) -> list[Reason | None]:
            return [Reason.TRENDING if hot else None for hot in (level[at] > newness[at]).tolist()]

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [{"trending": round(float(value), 4)} for value in level[at]]

        return Scored(values, reasons, explanations)
