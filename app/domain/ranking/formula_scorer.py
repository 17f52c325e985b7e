"""The weighted formula 0.7 collaborative + 0.2 content + 0.1 recency, for feeds too small to learn a model from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import EvidenceKind, Reason
from app.domain.feed.group_sums import GroupSums
from app.domain.feed.time_units import HOUR
from app.domain.ranking.options import FormulaWeights
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.ranking_context import RankingContext
from app.domain.services.recommender_interface import Recommender
from app.domain.services.scorer_interface import Grounds, Rows, Scored, strengths_of

_TEXT_WEIGHT, _AUTHOR_WEIGHT, _ENGAGEMENT_WEIGHT = 0.6, 0.2, 0.2  # of content similarity
_MAX_POSTS = 50  # newest events of the user that content similarity reads
_PARTS = ("collaborative", "content", "recency")
_REASONS = (Reason.COLLABORATIVE_FILTERING, Reason.CONTENT_SIMILARITY, Reason.RECENT)
_COLLABORATIVE, _CONTENT, _RECENCY = range(len(_PARTS))
_EVIDENCE = {
    EvidenceKind.SIMILAR_USERS: _COLLABORATIVE,
    EvidenceKind.READ_AUTHOR: _CONTENT,
    EvidenceKind.TAG: _CONTENT,
    EvidenceKind.TRENDING: _CONTENT,
    EvidenceKind.NEW: _RECENCY,
}
"""The part of the score that claims each kind; of equal parts the first one counts."""


class FormulaScorer:
    """Scores posts by a weighted sum of three parts, each in [0, 1]; by trending for a user without neighbours.

    collaborative  support by the neighbours / its largest value
    content        see `content_similarity`
    recency        exp(-age / tau)
    """

    def __init__(self, recommender: Recommender, weights: FormulaWeights, trending: TrendingScorer) -> None:
        self._recommender = recommender
        self._trending = trending
        self._tau_seconds = weights.recency_tau_hours * HOUR
        shares = np.array([weights.collaborative, weights.content, weights.recency], np.float64)
        self._shares = shares / (shares.sum() or 1.0)

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """See `Scorer`."""
        support = self._recommender.scores(context)
        largest = support.sums.max(initial=0.0)
        if largest <= 0:
            return self._trending(context, rows)
        parts = np.empty((3, len(rows)))
        parts[0] = support.for_rows(rows)[0] / largest
        parts[1] = content_similarity(context, rows)
        parts[2] = np.exp(np.minimum(context.state.created[rows] - context.now, 0.0) / self._tau_seconds)
        parts *= self._shares[:, None]

        def grounds(at: Rows) -> Grounds:
            of_posts = parts[:, at]
            reasons = [_REASONS[part] for part in of_posts.argmax(axis=0).tolist()]
            by_kind = {kind: of_posts[part] for kind, part in _EVIDENCE.items()}
            return Grounds(reasons, strengths_of(by_kind, len(at)))

        def explanations(at: Rows) -> list[dict[str, Any]]:
            return [
                {name: round(float(value), 4) for name, value in zip(_PARTS, post, strict=True)}
                for post in parts[:, at].T
            ]

        return Scored(parts.sum(axis=0), grounds, explanations)


def content_similarity(context: RankingContext, rows: Rows) -> NDArray[np.float64]:
    """(n,) the similarity of posts to the newest 50 events of the user, in [0, 1].

    0.6 x cosine of the post's text vector and the mean text vector of these posts
    + 0.2 x share of these posts with known authors that have the same author
    + 0.2 x log(1 + engagements) / log(1 + largest engagements of any post).
    The last term alone (x 1) if the feed has no text vectors or the user no events.
    """
    state = context.state

    engagement: NDArray[np.float64] = np.log1p(state.engagements[rows])
    engagement /= np.log1p(state.largest_engagement) or 1.0
    posts = context.recent_events[0][-_MAX_POSTS:].astype(np.intp)
    if not len(posts) or not state.text.shape[1]:
        return engagement
    profile = state.text.take(posts, axis=0).sum(axis=0)
    profile /= np.linalg.norm(profile) or 1.0
    cosine = np.vecdot(state.text.take(rows, axis=0), profile)  # as in `text_similarities`
    authors = state.author[posts]
    events_by_author = GroupSums(authors, np.ones((1, len(authors))), state.n_users)
    author_share = events_by_author.for_rows(state.author[rows])[0] / max(np.count_nonzero(authors >= 0), 1)
    similarity: NDArray[np.float64] = _TEXT_WEIGHT * cosine.clip(0.0, 1.0) + _AUTHOR_WEIGHT * author_share
    return similarity + _ENGAGEMENT_WEIGHT * engagement
