"""The inputs of the learned scorer about posts that were shown without any engagement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import User
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ids import user_uuid
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.sink import ENGAGED_PAGE_WEIGHT
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import VIEW, Feed, Post, whole_state

NOW = 100 * DAY
ROWS = np.arange(6)
NAMES = user_features.IMPRESSION_FEATURES.names()
ALL_NAMES = user_features.names(impressions=True)


@pytest.fixture
def state() -> FeedState:
    """Two users, six posts in order of their rows, and a view of post 5 by the first user."""
    posts = [Post(created=float(row)) for row in range(6)]
    return whole_state(Feed(2, posts, [(0, 5, VIEW, NOW - HOUR)]).dataset())[0]


def user_row(state: FeedState, number: int) -> int:
    return state.user_rows[user_uuid(f"user {number}").bytes]


def show(state: FeedState, *posts: int, ago: float, seen: bool = False) -> None:
    state.impressions.record(user_row(state, 0), np.array(posts), NOW - ago, seen=seen)


def inputs(state: FeedState, *, user: int = 0, **options) -> dict[str, list[float]]:
    """The values of the six posts for a user, by input."""
    context = RankingContext(state, user_row(state, user) if user >= 0 else -1, NOW, **options)
    values = user_features.matrix(context, ROWS, impressions=True)[-len(NAMES) :]
    return dict(zip(NAMES, values.tolist(), strict=True))


def test_they_count_impressions_without_engagement_and_give_the_age_of_the_newest(state: FeedState) -> None:
    show(state, 1, 2, ago=3 * DAY)
    show(state, 2, ago=DAY)

    found = inputs(state)

    assert found["ignored"] == pytest.approx([0, np.log(2), np.log(3), 0, 0, 0])
    assert found["ignored on screen"] == [0] * 6
    assert found["ignored recently"] == pytest.approx([0, np.log(10), np.log(30), 0, 0, 0])


def test_an_event_after_the_page_removes_its_impression_and_weakens_the_others(state: FeedState) -> None:
    show(state, 4, 5, ago=2 * HOUR)

    assert inputs(state)["ignored"] == pytest.approx([0, 0, 0, 0, np.log1p(ENGAGED_PAGE_WEIGHT), 0])


def test_where_the_client_reports_what_was_on_screen_only_that_counts(state: FeedState) -> None:
    show(state, 1, ago=DAY)
    show(state, 2, ago=DAY, seen=True)

    found = inputs(state)

    assert found["ignored on screen"] == [0, 0, 1, 0, 0, 0]
    assert found["ignored"] == pytest.approx([0, 0, np.log(2), 0, 0, 0])


def test_they_are_zero_for_users_without_pages_and_where_ignored_posts_are_not_lowered(
    state: FeedState,
) -> None:
    show(state, 1, ago=DAY)
    nothing = dict.fromkeys(NAMES, [0.0] * 6)

    assert inputs(state, user=1) == inputs(state, user=-1) == nothing
    assert inputs(state, sinks_shown=False) == inputs(state, shown_before=NOW - 2 * DAY) == nothing
    state.set_users([User(user_uuid("user 0"), "user 0", personalised=False)])
    assert inputs(state) == nothing


def test_old_impressions_have_no_age_and_the_first_seconds_no_effect(state: FeedState) -> None:
    show(state, 1, ago=60 * DAY)
    show(state, 2, ago=5.0)

    assert inputs(state)["ignored recently"] == [0] * 6
    assert inputs(state)["ignored"] == pytest.approx([0, np.log(2), 0, 0, 0, 0])


def test_a_model_uses_them_only_if_it_was_trained_with_them(state: FeedState) -> None:
    show(state, 3, ago=DAY)
    context = RankingContext(state, user_row(state, 0), NOW)

    def utilities(names: tuple[str, ...]) -> list[float]:
        weights, units = np.array([-1.0 if name == "ignored" else 0.0 for name in names]), np.zeros(0)
        zeros = np.zeros(len(names))
        model = ChoiceModel(
            names, zeros, zeros + 1, weights, np.zeros((len(names), 0)), units, units, np.zeros(3)
        )
        scorer = LearnedScorer(model)
        assert len(scorer(context, ROWS).explanations(ROWS)) == 6
        return scorer.utilities(context, ROWS).tolist()

    assert utilities(user_features.names()) == [0] * 6
    assert utilities(ALL_NAMES) == pytest.approx([0, 0, 0, -np.log(2), 0, 0])


@given(st.lists(st.tuples(st.lists(st.integers(0, 5), unique=True), st.floats(0, 60 * DAY)), max_size=6))
def test_more_impressions_never_lower_an_input_and_leave_those_of_other_posts(pages) -> None:
    posts = [Post(created=float(row)) for row in range(6)]
    state = whole_state(Feed(1, posts).dataset())[0]
    before = np.array([*inputs(state).values()])

    for shown, ago in pages:
        show(state, *shown, ago=ago)
        after = np.array([*inputs(state).values()])
        assert (after >= before - 1e-6).all()
        others = np.setdiff1d(ROWS, shown)
        np.testing.assert_array_equal(after[:, others], before[:, others])
        before = after
