"""Reasons and explanations of the learned scorer come from the features."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.entities import Reason
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.features import FeatureSet
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, Feed, Post, whole_state

NAMES = user_features.names()


def scorer(**weights: float) -> LearnedScorer:
    """A linear model with the given weights; every other input has weight 0."""
    linear = np.array([weights.get(name.replace(" ", "_"), 0.0) for name in NAMES])
    return LearnedScorer(replace(ChoiceModel.untrained(NAMES), linear=linear))


@pytest.fixture
def context():
    posts = [Post(created=1000.0 * i, author=i % 3, tags=("a" if i % 2 else "b",)) for i in range(12)]
    events = [(i % 3, i, LIKE, 12_000.0 + i) for i in range(6)]
    state, timeline = whole_state(Feed(4, posts, events, [(3, 1, 0.0)]).dataset())
    return RankingContext(state, int(timeline.user_row[3]), 12_100.0)


def reasons_of(scorer: LearnedScorer, context: RankingContext) -> list[Reason | None]:
    rows = np.arange(context.state.n_posts)
    return list(scorer(context, rows).grounds(rows).reasons)


def test_every_input_but_those_of_seen_posts_declares_a_reason():
    without = {name for name, reason in zip(NAMES, user_features.reasons(), strict=True) if reason is None}

    assert without == {"met", "met within 1h", "met within 1d"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("heat 1h", Reason.TRENDING),
        ("untouched", Reason.RECENT),
        ("age", Reason.RECENT),
        ("author 7d", Reason.POPULAR_AUTHOR),
        ("follows author", Reason.FOLLOWING),
        ("topic share", Reason.CONTENT_SIMILARITY),
        ("user kNN 30d", Reason.COLLABORATIVE_FILTERING),
    ],
)
def test_the_reason_of_an_input_is_the_one_its_feature_declares(name, reason):
    assert user_features.reasons()[NAMES.index(name)] is reason


def test_a_post_gets_the_reason_whose_inputs_contribute_more_than_on_average(context):
    reasons = reasons_of(scorer(follows_author=1.0), context)

    followed = context.state.author == context.followed[0]
    assert [reason is Reason.FOLLOWING for reason in reasons] == followed[: len(reasons)].tolist()
    assert {reason for reason in reasons if reason is not Reason.FOLLOWING} == {None}


def test_the_contributions_of_all_inputs_with_one_reason_add_up(context):
    weights = np.random.default_rng(1).normal(size=len(NAMES))
    model = replace(ChoiceModel.untrained(NAMES), linear=weights)
    rows = np.arange(context.state.n_posts)
    contributions = model.contributions(user_features.matrix(context, rows))
    above_mean = contributions - contributions.mean(axis=1, keepdims=True)

    reasons = reasons_of(LearnedScorer(model), context)

    for post, reason in enumerate(reasons):
        sums: dict[Reason | None, float] = {None: 0.0}
        for declared, value in zip(user_features.reasons(), above_mean[:, post].tolist(), strict=True):
            if declared is not None:
                sums[declared] = sums.get(declared, 0.0) + value
        assert reason is max(sums, key=lambda one: sums[one])
    assert len(set(reasons)) > 2


def test_two_posts_are_explained_by_their_inputs(context):
    rows = np.arange(context.state.n_posts)
    inputs = dict(zip(NAMES, user_features.matrix(context, rows), strict=True))

    first, last = scorer(age=-1.0)(context, rows).explanations(rows[[0, -1]])

    assert first["engagement_last_hour"] == round(float(np.expm1(inputs["heat 1h"][0].item())), 3)
    assert last["follows_author"] == bool(inputs["follows author"][-1])
    assert next(iter(first["contributions"])) == "age"
    assert set(first["contributions"]) == set(NAMES)


def test_a_model_of_other_inputs_is_rejected():
    with pytest.raises(ValueError, match="other features"):
        LearnedScorer(ChoiceModel.untrained(("age",)))


def test_no_group_of_inputs_has_the_name_of_an_input():
    assert not set(user_features.groups()) & set(NAMES)


def test_features_keep_the_order_of_their_registration():
    features: FeatureSet[int] = FeatureSet()

    @features.register("one", "two", reason=Reason.RECENT)
    def first(batch: int) -> np.ndarray:
        return np.full((2, batch), 1.0)

    @features.register("three", reason=None)
    def second(batch: int) -> np.ndarray:
        return np.full((1, batch), 2.0)

    assert features.names() == ("one", "two", "three")
    assert features.reasons() == (Reason.RECENT, Reason.RECENT, None)
    assert features.groups() == {"first": ("one", "two"), "second": ("three",)}
    assert [block.shape for block in features.blocks(4)] == [(2, 4), (1, 4)]


def test_no_post_has_no_score_no_reason_and_no_explanation(context):
    none = np.empty(0, np.intp)

    scored = scorer(age=1.0)(context, none)

    assert (len(scored.values), scored.grounds(none).reasons, scored.explanations(none)) == (0, [], [])
