"""Eligibility (contract, section 4): each rule one small object, all of them on every source."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class NotMet:
    """Without an event of the user, of one of some kinds."""

    kinds: frozenset[int]

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        if context.user < 0:
            return np.ones(len(rows), np.bool_)
        posts, _, kinds = context.state.histories.row(context.user)
        if len(self.kinds) < _ALL_KINDS:
            posts = posts[np.isin(kinds, list(self.kinds))]
        return NotAmong(posts.astype(np.intp))(context, rows)


@dataclass(frozen=True, slots=True)
class NotAmong:
    """Not one of these posts."""

    posts: Rows

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        barred = np.zeros(context.state.n_posts, np.bool_)
        barred[self.posts] = True
        return ~barred[rows]


_ALL_KINDS = 5
