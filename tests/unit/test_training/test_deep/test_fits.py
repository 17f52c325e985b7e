"""The fits with JAX learn what users like. Skipped where requirements-deep.lock is not installed."""

import numpy as np
import pytest

from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking.options import RankingOptions
from app.shared.exceptions import ConfigurationError
from tests.support.feeds import generated
from training.deep.fit_two_tower import TowerOptions
from training.deep.live_towers import LiveTowers
from training.deep.neural_cf import NcfOptions, fit_ncf
from training.deep.requirements import check_requirements
from training.replay.replay import Replay, target_kinds

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _jax() -> None:
    try:
        check_requirements()
    except ConfigurationError as error:
        pytest.skip(str(error))


def test_the_towers_rank_later_choices_of_communities_above_chance_and_repeat_bit_by_bit() -> None:
    dataset = generated(users=200, posts=600, interactions=12_000, scenario="taste")
    replay = Replay(dataset, RankingOptions(), targets=target_kinds(dataset))
    past = replay.events[: int(np.searchsorted(replay.events.time, replay.test_from))]
    towers = [LiveTowers(dataset, TowerOptions()) for _ in range(2)]
    ahead: list[float] = []
    for event in replay.test_requests(150).tolist():
        request = replay.request_at(event)
        for one in towers:
            one.fit(past, replay.test_from, request.state)
        history = request.context.recent_events[0]
        logits, again = (one.logits(request.state, history, request.eligible) for one in towers)
        assert (logits == again).all()
        ahead.append(float((logits > logits[np.searchsorted(request.eligible, request.target)]).mean()))

    assert np.mean(ahead) < 0.3  # chance: 0.5


def test_ncf_prefers_the_posts_that_a_user_engaged_with() -> None:
    feed = FeedTimeline(generated(users=60, posts=120, interactions=3000, scenario="taste"), replay=True)
    users, posts = feed.events.user, feed.events.post

    model = fit_ncf(users, posts, NcfOptions(batch_size=256))

    higher = [
        model.scores(user)[np.unique(posts[users == user])].mean() - model.scores(user).mean()
        for user in range(20)
    ]
    assert np.mean(higher) > 0.05
