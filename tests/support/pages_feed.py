"""A feed with pages, on which users like one post of each page, and what a model learns from it."""

from dataclasses import replace

import numpy as np

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, Feed, Post
from training.learning.model_selection import LearningOptions, select_model
from training.learning.negative_sampling import CandidateSampler, SampledExamples
from training.learning.training_examples import training_examples
from training.replay.replay import Replay

USERS, POSTS, PAGES = 10, 140, 25


def feed_with_pages(*, ignores_shown_posts: bool) -> FeedDataset:
    """Pages of ten posts, of which the user likes one after half a minute.

    If users ignore posts that were shown, five posts are from the previous page, and the user likes one of the others.
    Else all ten are drawn from all posts.
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
            pages.append((user, at, page.tolist(), []))
            likes.append((user, int(page[5 + random.integers(5)]), LIKE, at + 30.0))
    posts = [Post(created=float(number)) for number in range(POSTS)]
    dataset = Feed(USERS, posts, likes, pages=pages).dataset()
    event_id = np.frombuffer(random.bytes(16 * len(likes)), "V16")
    return replace(dataset, events=replace(dataset.events, event_id=event_id))


def learned_model(replay: Replay) -> ChoiceModel:
    """A linear model of all examples of a replay, which is at its end then."""
    options = LearningOptions(requests=150, candidates=25, ridges=(1e-3,), units=())
    examples = training_examples(replay, options, keep_full=False)
    sampler, sampled = CandidateSampler(replay, examples, options), SampledExamples(replay, examples, options)
    for number, event in enumerate(examples.event_rows.tolist()):
        sampled.add(sampler.sample(number, replay.request_at(event)))
    return select_model(sampled.choice_sets(), [], options).model


def effect_of_an_ignored_impression(dataset: FeedDataset) -> np.ndarray:
    """How an impression of post row 7, an hour old, changes the learned utilities of all posts for a user."""
    replay = Replay(dataset, RankingOptions())
    scorer = LearnedScorer(learned_model(replay))
    state, now = replay.timeline.state, float(replay.events.time[-1]) + DAY
    rows = np.arange(state.n_posts)
    state.impressions.remove(0)
    before = scorer.utilities(RankingContext(state, 0, now), rows)
    state.impressions.record(0, np.array([7]), now - HOUR)
    return scorer.utilities(RankingContext(state, 0, now), rows) - before
