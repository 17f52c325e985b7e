"""Eligibility (contract, section 4): each rule one small object, all of them on every source."""

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]


class Published:
    """Visible, not deleted, not dated in the future."""

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        state = context.state
        return state.visible[rows] & (state.created[rows] <= context.now)


class NotOwn:
    """By somebody else."""

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        own: NDArray[np.bool_] = context.state.author[rows] != context.user
        return own if context.user >= 0 else np.ones(len(rows), np.bool_)


class NotExcluded:
    """Neither met, where that counts, nor excluded, nor shown on an earlier page."""

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        return context.allowed(rows)
