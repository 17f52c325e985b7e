"""Where learning looks at a post that is chosen later."""

import numpy as np
from hypothesis import given

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import Feed, Post, feeds
from training.evaluation.prequential import replay_rankers
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds

VIEW, LIKE = 0, 2


def replay_of(feed: Feed) -> Replay:
    history = feed.dataset()
    return Replay(history, RankingOptions(), targets=target_kinds(history))


def test_a_look_before_the_choice_is_the_first_contact() -> None:
    replay = replay_of(Feed(2, [Post(0.0, 0)], [(1, 0, VIEW, 10.0), (1, 0, LIKE, 20.0)]))

    assert replay.requests.tolist() == [1]
    assert replay.first_interactions(replay.requests).tolist() == [0]


def test_a_look_that_made_the_post_exist_is_none() -> None:
    replay = replay_of(Feed(2, [Post(10.0, 0)], [(1, 0, VIEW, 10.0), (1, 0, LIKE, 20.0)]))

    assert replay.first_interactions(replay.requests).tolist() == [1]


@given(feeds())
def test_every_post_that_is_learned_from_was_there_at_that_moment(feed: Feed) -> None:
    replay = replay_of(feed)

    contacts = replay.first_interactions(replay.requests)

    for moment in map(replay.request_at, np.unique(contacts).tolist()):
        assert moment.target < moment.state.n_posts


def test_a_feed_whose_posts_date_from_their_first_view_can_be_learned_from() -> None:
    posts = [Post(100.0 * i, -1) for i in range(40)]
    events = [(i % 7, i, VIEW, 100.0 * i) for i in range(40)]
    events += [(i % 7, i, LIKE, 100.0 * i + 50) for i in range(40)]

    replay = replay_of(Feed(7, posts, events))
    outcome = replay_rankers(
        replay, ["learned"], LearningOptions(requests=30, candidates=8, units=()), max_requests=10
    )

    assert len(outcome.requests)
