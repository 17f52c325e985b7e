"""What a model learns from the pages that were shown."""

import numpy as np

from app.domain.ranking import user_features
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import LIKE, Feed, Post
from tests.support.pages_feed import effect_of_an_ignored_impression, feed_with_pages
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import SampledExamples
from training.learning.training_examples import training_examples
from training.replay.replay import Replay


def test_a_post_that_was_shown_without_engagement_is_worth_less_than_the_same_post_not_shown() -> None:
    effect = effect_of_an_ignored_impression(feed_with_pages(ignores_shown_posts=True))

    assert effect[7] < -3
    assert not np.delete(effect, 7).any()


def test_choices_on_a_page_do_not_teach_that_shown_posts_are_chosen() -> None:
    """Every chosen post was on the page, so it was shown half a minute before the choice."""
    effect = effect_of_an_ignored_impression(feed_with_pages(ignores_shown_posts=False))

    assert abs(effect[7]) < 1


def test_examples_of_a_feed_without_pages_have_no_inputs_of_impressions() -> None:
    likes = [(user, post, LIKE, 10.0 + post) for user in range(2) for post in range(4)]
    replay = Replay(Feed(2, [Post()] * 4, likes).dataset(), RankingOptions())
    options = LearningOptions(candidates=10)

    sampled = SampledExamples(replay, training_examples(replay, options), options)

    assert sampled.choice_sets().names == user_features.names()
