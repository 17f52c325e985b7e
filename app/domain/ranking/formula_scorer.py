"""The owner's formula, 0.7 collaborative + 0.2 content + 0.1 recency: the default of a feed too small to learn from."""

from __future__ import annotations  # those of inner functions would be evaluated at each call

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.feed.group_sums import group_sums
from app.domain.feed.state import HOUR
from app.domain.ranking.options import FormulaWeights
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.ranking_context import RankingContext
from app.domain.services.recommender_interface import Recommender
from app.domain.services.scorer_interface import Rows, Scored

_TEXT, _AUTHOR, _ENGAGEMENT = 0.6, 0.2, 0.2  # shares of content similarity


class FormulaScorer:
    """Weighted sum of three parts, each in [0, 1]. A user whose neighbours name nothing is ranked by trending."""

    def __init__(self, recommender: Recommender, weights: FormulaWeights, trending: TrendingScorer) -> None:
        self._recommender = recommender
        self._trending = trending
        self._tau = weights.recency_tau_hours * HOUR
        shares = np.array([weights.collaborative, weights.content, weights.recency], np.float64)
        self._shares = shares / (shares.sum() or 1.0)

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        support = self._recommender.scores(context)
        most = support.sums.max(initial=0.0)
        if most <= 0:
            return self._trending(context, rows)
        state = context.state
        parts = np.empty((3, len(rows)))
        parts[0] = support.for_rows(rows)[0] / most
        parts[1] = content_similarity(context, rows)
        parts[2] = np.exp(np.minimum(state.created[rows] - context.now, 0.0) / self._tau)
        parts *= self._shares[:, None]

        def reasons(at: Rows) -> list[Reason | None]:
            return [_REASONS[part] for part in parts[:, at].argmax(axis=0)]

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [
                {
                    "collaborative": round(float(a), 4),
                    "content": round(float(b), 4),
                    "recency": round(float(c), 4),
                }
                for a, b, c in parts[:, at].T
            ]

        return Scored(parts.sum(axis=0), reasons, explanations)


_REASONS = (Reason.COLLABORATIVE_FILTERING, Reason.CONTENT_SIMILARITY, Reason.RECENT)


def content_similarity(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    """How much each post is like what this user engages with, (n,) in [0, 1].

    0.6 x cosine of its text (TF-IDF of words and tags, see `text`) with the mean of the user's last 50 posts, 0.2 x
    share of the user's history with its author, 0.2 x engagement on a log scale against the most engaged post.
    Where the feed has no text, or the user no history, engagement alone.
    """
    state = context.state

    def most_engaged() -> float:
        return float(np.log1p(state.engagements[: state.n_posts].max(initial=0))) or 1.0

    engagement: NDArray[np.float64] = np.log1p(state.engagements[rows])
    engagement /= state.memoised("most engaged", most_engaged)
    posts = context.recent_events[0][-50:].astype(np.intp)
    if not len(posts) or not state.text.shape[1]:
        return engagement
    profile = state.text.take(posts, axis=0).sum(axis=0)
    profile /= np.linalg.norm(profile) or 1.0
    alike = np.maximum(state.text.take(rows, axis=0) @ profile, 0.0)
    authors = state.author[posts]
    own = group_sums(authors, np.ones((1, len(authors))), state.n_users)
    familiar = own.for_rows(state.author[rows])[0] / max(np.count_nonzero(authors >= 0), 1)
    similarity: NDArray[np.float64] = _TEXT * np.minimum(alike, 1.0) + _AUTHOR * familiar
    return similarity + _ENGAGEMENT * engagement
