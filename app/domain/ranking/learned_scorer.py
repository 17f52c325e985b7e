"""The scorer that training learned from the feed's own history."""

from __future__ import annotations  # those of inner functions would be evaluated at each call

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.ranking import neighbourhood, user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Rows, Scored


class LearnedScorer:
    """Scores by a `ChoiceModel` over the live features: exp(utility) against the best candidate's."""

    def __init__(self, model: ChoiceModel) -> None:
        """Raises ValueError when `model` was trained on other features than this code computes."""
        if model.names != user_features.names():
            raise ValueError(
                "the model was trained on other features than this version computes: train again"
            )
        self.model = model

    def utilities(self, context: RankingContext, rows: Rows) -> NDArray[np.float64]:
        """(n,) utilities; differences are log odds of being chosen."""
        return self.model.utilities(user_features.matrix(context, rows))

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        inputs = user_features.matrix(context, rows)
        utility = self.model.utilities(inputs)
        values = np.exp(utility - utility.max(initial=-np.inf)) if len(rows) else utility

        def reasons(at: Rows) -> list[Reason | None]:
            share = self.model.contributions(inputs[:, at])
            centre = share - share.mean(axis=1, keepdims=True) if len(at) > 1 else share
            return [_TOLD[place] for place in (_TELLS @ centre).argmax(axis=0).tolist()]

        def explanations(at: Rows) -> list[dict[str, Any]]:
            total = utility.max() + np.log(values.sum())
            probability = self.model.probabilities(utility[at] - total)
            share = self.model.contributions(inputs[:, at])
            alike = neighbours_with(context, rows[at])
            return [
                {
                    "probability": round(float(chance), 6),
                    "neighbours": count,
                    **_told(self.model.names, inputs[:, place]),
                    "contributions": _strongest_first(self.model.names, one),
                }
                for chance, count, place, one in zip(probability, alike, at.tolist(), share.T, strict=True)
            ]

        return Scored(values, reasons, explanations)


def neighbours_with(context: RankingContext, rows: Rows) -> list[int]:
    """How many of the user's nearest users engaged with each post: a count, nobody's name."""
    users, _ = neighbourhood.neighbours(context)
    owner, (posts,) = context.state.events_by_user.gather(users, 50, columns=(0,))
    met = np.unique(np.stack([posts.astype(np.intp), owner]), axis=1)[0]
    counts: list[int] = np.bincount(met, minlength=context.state.n_posts)[rows].tolist()
    return counts


def _told(names: tuple[str, ...], inputs: NDArray[np.float32]) -> dict[str, Any]:
    """What people understand: engagements faded by an hour and by a day, and ties to the author and the topic."""
    of = dict(zip(names, inputs.tolist(), strict=True))
    return {
        "engagement_last_hour": round(float(np.expm1(of["heat 1h"])), 3),
        "engagement_last_day": round(float(np.expm1(of["heat 1d"])), 3),
        "author_affinity": round(float(np.expm1(of["affinity author"])), 3),
        "topic_affinity": round(of["topic share"], 3),
        "follows_author": of["follows author"] > 0,
    }


def _strongest_first(names: tuple[str, ...], share: NDArray[np.float32]) -> dict[str, float]:
    strongest = np.argsort(-np.abs(share), kind="stable")
    return {names[i]: round(float(share[i]), 4) for i in strongest.tolist()}


_TELLING: Mapping[Reason, tuple[str, ...]] = {
    Reason.TRENDING: ("heat", "trace", "strong", "engagement", "gravity", "idle"),
    Reason.RECENT: ("age", "newer", "untouched"),
    Reason.POPULAR_AUTHOR: ("author ",),
    Reason.COLLABORATIVE_FILTERING: ("user kNN", "next posts"),
    Reason.CONTENT_SIMILARITY: ("affinity", "topic", "text"),
    Reason.FOLLOWING: ("follows",),
}
_TOLD: tuple[Reason | None, ...] = (None, *_TELLING)
_TELLS = np.array(
    [
        [name.startswith(beginnings) for name in user_features.names()]
        for beginnings in ((), *_TELLING.values())
    ],
    np.float32,
)
