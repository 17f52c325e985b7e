"""The inputs of the learned scorer about embeddings, and the choice of optional inputs."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ids import user_uuid
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, VIEW, Feed, Post, whole_state

NOW = 100 * DAY
ROWS = np.arange(6)
NAMES = user_features.EMBEDDING_FEATURES.names()
ALL_NAMES = user_features.names(embeddings=True)
EAST, NORTH, WEST, NONE = [1, 0], [0, 1], [-1, 0], [0, 0]


@pytest.fixture
def state() -> FeedState:
    """Two users, and six posts in order of their rows. The first user liked post 0, then viewed post 1."""
    posts = [Post(created=float(row)) for row in range(6)]
    events = [(0, 0, LIKE, NOW - 2 * HOUR), (0, 1, VIEW, NOW - HOUR)]
    state, _ = whole_state(Feed(2, posts, events).dataset())
    state.set_embeddings(ROWS, np.array([EAST, NORTH, EAST, NORTH, WEST, NONE], np.float16))
    return state


def inputs(state: FeedState, user: int) -> dict[str, list[float]]:
    context = RankingContext(state, state.user_rows[user_uuid(f"user {user}").bytes], NOW)
    values = user_features.matrix(context, ROWS, embeddings=True)[-len(NAMES) :]
    return dict(zip(NAMES, values.tolist(), strict=True))


def test_they_are_cosines_with_the_decayed_profile_and_with_the_newest_post(state: FeedState) -> None:
    found = inputs(state, user=0)

    length = np.hypot(0.9, 1)
    profile = [0.9 / length, 1 / length, 0.9 / length, 1 / length, -0.9 / length, 0]
    assert found["embedding like history"] == pytest.approx(profile, abs=1e-6)
    assert found["embedding like last"] == [0, 1, 0, 1, 0, 0]


def test_they_are_0_without_events_or_without_a_projection(state: FeedState) -> None:
    assert not any(map(any, inputs(state, user=1).values()))
    state.set_embeddings(ROWS, np.zeros((6, 0), np.float16))
    assert not any(map(any, inputs(state, user=0).values()))


def test_a_model_reads_them_if_it_was_trained_with_them(state: FeedState) -> None:
    context = RankingContext(state, state.user_rows[user_uuid("user 0").bytes], NOW)

    def utilities(names: tuple[str, ...]) -> list[float]:
        weights = np.append(np.zeros(len(names) - 1), 1.0)
        model = replace(ChoiceModel.untrained(names), linear=weights)
        return LearnedScorer(model).utilities(context, ROWS).tolist()

    assert utilities(ALL_NAMES) == [0, 1, 0, 1, 0, 0]
    with pytest.raises(ValueError, match="train again"):
        LearnedScorer(ChoiceModel.untrained(ALL_NAMES[:-1]))


@pytest.mark.parametrize("impressions", [False, True])
@pytest.mark.parametrize("embeddings", [False, True])
def test_the_number_of_inputs_says_which_they_are(*, impressions: bool, embeddings: bool) -> None:
    optional = user_features.OptionalInputs(impressions=impressions, embeddings=embeddings)
    names = user_features.names(**optional)

    assert user_features.names_of(len(names)) == names
    assert user_features.optional_inputs(names) == optional
    assert set(user_features.names()) <= set(names)
