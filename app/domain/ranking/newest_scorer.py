"""Scores posts by their age alone, for feeds whose users choose the newest posts."""

from typing import Any

import numpy as np

from app.domain.entities import EvidenceKind, Reason
from app.domain.feed.time_units import HOUR
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Grounds, Rows, Scored, strengths_of


class NewestScorer:
    """Score: 1 / (1 + age in hours)."""

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """See `Scorer`."""
        age_hours = np.maximum(context.now - context.state.created[rows], 0.0) / HOUR

        def grounds(at: Rows) -> Grounds:
            return Grounds([Reason.RECENT] * len(at), strengths_of({EvidenceKind.NEW: 1.0}, len(at)))

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [{"age_hours": round(age, 4)} for age in age_hours[at].tolist()]

        return Scored(1.0 / (1.0 + age_hours), grounds, explanations)
