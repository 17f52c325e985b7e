"""What a model learns from the pages that were shown."""

import numpy as np

from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking import user_features
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, Feed, Post
from training.learning.model_selection import LearningOptions, select_model
from training.learning.negative_sampling import CandidateSampler, SampledExamples
from training.learning.training_examples import training_examples
from training.replay.replay import Replay

USERS, POSTS, PAGES = 14, 300, 28


def feed(*, ignores_shown_posts: bool) -> Feed:
    """Pages of ten posts, of which the user likes one after half a minute.

    If users ignore posts that were shown, five posts are from the previous page, and the user likes one of the others.
    Else all ten are drawn from all posts, and the user likes any of them.
    """
    random = np.random.default_rng(2)
    pages, likes = [], []
    for user in range(USERS):
        order = random.permutation(POSTS)
        for number in range(PAGES):
            at = DAY + number * 6 * HOUR + user * 60.0
            page = (
                order[5 * number : 5 * number + 10] if ignores_shown_posts else random.permutation(POSTS)[:10]
            )
            liked = page[5 + random.integers(5)]
            pages.append((user, at, page.tolist(), []))
            likes.append((user, int(liked), LIKE, at + 30.0))
    return Feed(USERS, [Post(created=float(number)) for number in range(POSTS)], likes, pages=pages)


def effect_of_an_ignored_impression(feed: Feed) -> np.ndarray:
    """How an impression of post row 7, an hour old, changes the learned utilities of all posts for a user."""
    replay = Replay(feed.dataset(), RankingOptions())
    options = LearningOptions(requests=300, candidates=30, ridges=(1e-3,), units=())
    examples = training_examples(replay, options, keep_full=False)
    sampler, sampled = CandidateSampler(replay, examples, options), SampledExamples(replay, examples, options)
    for number, event in enumerate(examples.event_rows.tolist()):
        sampled.add(sampler.sample(number, replay.request_at(event)))
    scorer = LearnedScorer(select_model(sampled.choice_sets(), [], options).model)
    state, now = replay.timeline.state, float(replay.events.time[-1]) + DAY
    rows = np.arange(state.n_posts)
    state.impressions.remove(0)
    before = scorer.utilities(RankingContext(state, 0, now), rows)
    state.impressions.record(0, np.array([7]), now - HOUR)
    return scorer.utilities(RankingContext(state, 0, now), rows) - before


def test_a_post_that_was_shown_without_engagement_is_worth_less_than_the_same_post_not_shown() -> None:
    effect = effect_of_an_ignored_impression(feed(ignores_shown_posts=True))

    assert effect[7] < -3
    assert not np.delete(effect, 7).any()


def test_choices_on_a_page_do_not_teach_that_shown_posts_are_chosen() -> None:
    """Every chosen post was on the page, so it was shown half a minute before the choice."""
    effect = effect_of_an_ignored_impression(feed(ignores_shown_posts=False))

    assert abs(effect[7]) < 1


def test_examples_of_a_feed_without_pages_have_no_inputs_of_impressions() -> None:
    likes = [(user, post, LIKE, 10.0 + post) for user in range(2) for post in range(4)]
    replay = Replay(Feed(2, [Post()] * 4, likes).dataset(), RankingOptions())
    options = LearningOptions(candidates=10)

    sampled = SampledExamples(replay, training_examples(replay, options), options)

    assert sampled.choice_sets().names == user_features.names()
