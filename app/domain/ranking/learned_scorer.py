"""The scorer that training fits to the events of the feed."""

from collections.abc import Mapping
from math import expm1
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.group_sums import GroupSums
from app.domain.ranking import neighbourhood, user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import CLAIMED_KINDS, Grounds, Rows, Scored


class LearnedScorer:
    """Scores posts by exp(utility - largest utility), with the utilities of a `ChoiceModel`."""

    def __init__(self, model: ChoiceModel) -> None:
        """Raises ValueError if `model` was trained on other inputs than this version computes."""
        self._optional = user_features.optional_inputs(model.names)
        self.model = model
        declared = user_features.reasons(**self._optional)
        self._reasons = (None, *sorted({reason for reason in declared if reason is not None}))
        members = user_features.groups(**self._optional)
        self._features = tuple(members)
        self._inputs_of = np.array(
            [[name in members[one] for name in model.names] for one in members], np.float32
        )
        evidence = user_features.evidence(**self._optional)
        has_reason = [[one is reason and reason is not None for one in declared] for reason in self._reasons]
        has_evidence = [[one is kind for one in evidence] for kind in CLAIMED_KINDS]
        self._grouped = np.array(has_reason + has_evidence, np.float32)  # the inputs of each reason and kind

    def utilities(self, context: RankingContext, rows: Rows) -> NDArray[np.float64]:
        """(n,) utilities of the posts `rows`; a difference of two is the log odds of one choice against the other."""
        return self.model.utilities(self._inputs(context, rows))

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """See `Scorer`."""
        inputs = self._inputs(context, rows)
        utility = self.model.utilities(inputs)
        values = np.exp(utility - utility.max(initial=-np.inf))

        def grounds(at: Rows) -> Grounds:
            return self._grounds(inputs.take(at, axis=1))

        def explanations(at: Rows) -> list[dict[str, Any]]:
            if not len(at):  # no post was ranked
                return []
            log_share = utility[at] - (utility.max() + np.log(values.sum()))
            return self._explanations(context, rows[at], inputs[:, at], log_share)

        return Scored(values, grounds, explanations, inputs)

    def _inputs(self, context: RankingContext, rows: Rows) -> NDArray[np.float32]:
        return user_features.matrix(context, rows, **self._optional)

    def _grounds(self, inputs: NDArray[np.float32]) -> Grounds:
        """The reason whose inputs contribute most to each post, and the sums of the inputs of each kind of evidence.

        A reason is relative to the mean of the posts; None if no reason contributes more than the mean.
        """
        sums = self._grouped @ self.model.contributions(inputs)
        by_reason, by_kind = sums[: len(self._reasons)], sums[len(self._reasons) :]
        if inputs.shape[1] > 1:
            by_reason = by_reason - by_reason.mean(axis=1, keepdims=True)
        strongest = by_reason.argmax(axis=0)
        return Grounds([self._reasons[index] for index in strongest.tolist()], by_kind.T)

    def _explanations(
        self,
        context: RankingContext,
        rows: Rows,
        inputs: NDArray[np.float32],
        log_share: NDArray[np.float64],
    ) -> list[dict[str, Any]]:
        probability = self.model.probabilities(log_share)
        contributions = self.model.contributions(inputs)
        factors = self._inputs_of @ contributions
        neighbours = neighbours_with(context, rows)
        return [
            {
                "probability": round(float(probability[post]), 6),
                "neighbours": neighbours[post],
                **_facts(dict(zip(self.model.names, inputs[:, post].tolist(), strict=True))),
                "factors": _strongest_first(self._features, factors[:, post]),
                "contributions": _strongest_first(self.model.names, contributions[:, post]),
            }
            for post in range(len(rows))
        ]


def neighbours_with(context: RankingContext, rows: Rows) -> list[int]:
    """How many of the user's nearest users engaged with each post; an anonymous count."""
    users, _ = neighbourhood.neighbours(context)
    newest = neighbourhood.MAX_EVENTS_PER_NEIGHBOUR
    owner, (posts,) = context.state.events_by_user.gather(users, newest, columns=(0,))
    distinct_posts = np.unique(np.stack([posts.astype(np.intp), owner]), axis=1)[0]
    sums = GroupSums(distinct_posts, np.ones((1, len(distinct_posts))), context.state.n_posts)
    counts: list[int] = sums.for_rows(rows)[0].astype(int).tolist()
    return counts


def _facts(inputs: Mapping[str, float]) -> dict[str, Any]:
    """Inputs that a reader understands: decayed engagement, and the user's ties to the author and the topic."""
    return {
        "engagement_last_hour": round(expm1(inputs["heat 1h"]), 3),
        "engagement_last_day": round(expm1(inputs["heat 1d"]), 3),
        "author_affinity": round(expm1(inputs["affinity author"]), 3),
        "topic_affinity": round(inputs["topic share"], 3),
        "follows_author": inputs["follows author"] > 0,
    }


def _strongest_first(names: tuple[str, ...], contributions: NDArray[np.float32]) -> dict[str, float]:
    order = np.argsort(-np.abs(contributions), kind="stable")
    return {names[i]: round(float(contributions[i]), 4) for i in order.tolist()}
