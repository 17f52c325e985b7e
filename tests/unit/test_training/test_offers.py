"""What is sampled of an offer stands for all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.infrastructure.ml import features
from app.infrastructure.ml.ranking import RankingOptions
from tests.feeds import Feed, feeds, generated
from training.learn import LearningOptions
from training.lessons import lessons
from training.offers import OfferBook
from training.replay import Replay, target_kinds


def sampled(history, options, ranking):
    """The book of a replay, and how many posts each of its moments had on offer besides the chosen one."""
    replay = Replay(history, ranking, targets=target_kinds(history))
    book = OfferBook(replay, lessons(replay, options), options)
    others = []
    for lesson, event in enumerate(book.lessons.moments.tolist()):
        moment = replay.request(event)
        book.sample(lesson, moment)
        others.append(len(np.setdiff1d(moment.eligible, [moment.target])))
    return book, np.array(others)


@settings(max_examples=30, deadline=None)
@given(
    feeds(),
    st.integers(2, 12),
    st.sampled_from([(0.6, 0.2), (0.9, 0.05), (0.0, 0.0), (0.3, 0.7), (1.0, 9.0)]),
)
def test_the_drawn_posts_stand_for_every_post_on_offer(feed: Feed, size: int, shares) -> None:
    options = LearningOptions(candidates=size, strong_share=shares[0], hard_share=shares[1])
    book, others = sampled(feed.history(), options, RankingOptions(candidates=4, whole_catalogue=0))
    if not len(others):
        return

    offers = book.offers()

    weight = np.exp(offers.log_weight[:, 1:])
    # a stratum of which none is drawn stands for nothing: only then is the sum smaller
    assert (weight.sum(axis=1) <= others + 1e-3).all()
    assert ((weight > 0).sum(axis=1) == np.minimum(others, size - 1)).all()
    assert (offers.log_weight[:, 0] == 0).all()
    everything = others <= size - 1
    assert weight[everything].sum(axis=1) == pytest.approx(others[everything], abs=1e-3)


def test_what_sources_name_first_is_drawn_most() -> None:
    history = generated(users=60, posts=300, interactions=4000)
    options = LearningOptions(requests=150, candidates=60)
    ranking = RankingOptions(candidates=40, whole_catalogue=0)

    book, others = sampled(history, options, ranking)

    weight = np.exp(book.offers().log_weight[:, 1:])
    assert weight.sum(axis=1) == pytest.approx(others, rel=1e-3)
    strong, rest = weight[:, 0], weight[:, -1]
    assert (strong <= rest).all()
    assert np.median(strong) < 2 < np.median(rest)


def test_whole_offers_are_numbered_as_the_offers_that_are_known() -> None:
    history = generated(users=60, posts=300, interactions=4000)
    book, _ = sampled(history, LearningOptions(requests=150, candidates=30), RankingOptions())
    middle = float(np.median(history.events.time))

    for before in (middle, np.inf):
        offers, whole = book.offers(before), book.whole_offers(before)
        assert whole
        for one in whole:
            assert one.inputs.shape[0] == len(features.names())
            if one.chosen >= 0:
                chosen = one.inputs[:, one.chosen].astype(np.float32)
                assert chosen == pytest.approx(offers.inputs[one.number, 0], rel=2e-3, abs=2e-3)
