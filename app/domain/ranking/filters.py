"""Eligibility filters. Each is one rule; all of them apply to the posts of every source."""

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]


class Published:
    """Allows visible posts that were created at the time of the request or earlier."""

    name = "published"

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        state = context.state
        return state.visible[rows] & (state.created[rows] <= context.now)


class NotOwn:
    """Allows posts by other authors; every post for an unknown user."""

    name = "not_own"

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        by_others: NDArray[np.bool_] = context.state.author[rows] != context.user
        return by_others if context.user >= 0 else np.ones(len(rows), np.bool_)


class NotExcluded:
    """Allows posts that the request does not exclude: seen posts, posts in `exclude`, posts of earlier pages."""

    name = "not_excluded"

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        return context.not_excluded(rows)


class NotMuted:
    """Allows posts without a tag or a word that the user muted."""

    name = "not_muted"

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        controls, words = context.controls, context.state.post_words
        muted = np.zeros(len(rows), np.bool_)
        if len(controls.tags):
            muted |= words.with_any_tag(rows, controls.tags)
        if controls.phrases:
            muted |= words.with_any_phrase(rows, controls.phrases)
        return ~muted


class VisibleToUser:
    """Allows posts that the user may see: by visibility, audience, language and sensitivity (see FeedVisibility)."""

    name = "visible_to_user"

    def __call__(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        return context.visible(rows)
