"""The sampled candidates of a request stand for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.time_units import DAY
from app.domain.ranking import user_features
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import LIKE, Feed, Post, feeds, generated
from training.learning.model_selection import LearningOptions
from training.learning.negative_sampling import CandidateSampler, SampledExamples, Strata
from training.learning.training_examples import training_examples
from training.replay.replay import Replay, target_kinds


def sampled(history, options, ranking) -> tuple[SampledExamples, np.ndarray]:
    """All examples of a replay, and how many posts each could have chosen instead."""
    replay = Replay(history, ranking, targets=target_kinds(history))
    examples = training_examples(replay, options)
    sampler, sets = CandidateSampler(replay, examples, options), SampledExamples(replay, examples, options)
    others = []
    for number, event in enumerate(examples.event_rows.tolist()):
        request = replay.request_at(event)
        sets.add(sampler.sample(number, request))
        others.append(len(np.setdiff1d(request.eligible, [request.target])))
    return sets, np.array(others)


def test_strata_are_the_first_tenth_of_each_source_the_rest_of_it_and_the_other_posts() -> None:
    first, second = np.arange(20, 0, -1), np.array([3, 30, 31])
    eligible = np.array([1, 2, 3, 19, 20, 25, 30, 31])

    strata = Strata.of([first, second], eligible, 20, 40)

    assert strata.top.tolist() == [3, 19]
    assert strata.nominated.tolist() == [1, 2, 30, 31]
    assert strata.others.tolist() == [25]
    assert strata.candidates.tolist() == [1, 2, 3, 19, 20, 30, 31]
    assert not len(strata.ignored)


def test_posts_that_were_ignored_on_the_page_are_a_stratum_and_no_chosen_or_ineligible_ones() -> None:
    eligible = np.array([1, 2, 3, 19, 20, 25])

    strata = Strata.of([np.array([3, 19])], eligible, 20, 40, np.array([3, 25, 20, 30]))

    assert strata.ignored.tolist() == [3, 25]
    assert strata.top.tolist() == []
    assert strata.nominated.tolist() == [19]
    assert strata.others.tolist() == [1, 2]
    assert strata.candidates.tolist() == [3, 19]


@given(st.integers(0, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_all_ignored_posts_are_drawn_as_long_as_they_fill_half_of_the_sample(
    ignored: int, half: int, seed: int
) -> None:
    rows = np.arange(ignored + 40)
    strata = Strata.of([rows[:20]], rows, -1, len(rows), rows[:ignored])

    drawn, weight = strata.draw(2 * half, LearningOptions(), seed)

    is_ignored = drawn < ignored
    assert min(ignored, half) <= is_ignored.sum() <= ignored
    assert weight[is_ignored].sum() == pytest.approx(ignored)
    if ignored <= half:
        assert (weight[is_ignored] == 1).all()


@given(
    feeds(most_pages=6),
    st.integers(2, 12),
    st.sampled_from([(0.6, 0.2), (0.9, 0.05), (0.0, 0.0), (0.3, 0.7), (1.0, 9.0)]),
)
def test_the_drawn_posts_stand_for_every_eligible_post(feed: Feed, size: int, shares) -> None:
    options = LearningOptions(candidates=size, strong_share=shares[0], hard_share=shares[1])
    sets, others = sampled(feed.dataset(), options, RankingOptions(candidates=4, whole_catalogue=0))
    if not len(others):
        return

    choice_sets = sets.choice_sets()

    weight = np.exp(choice_sets.log_weight[:, 1:])
    # a stratum of which none is drawn stands for nothing: only then is the sum smaller
    assert (weight.sum(axis=1) <= others + 1e-3).all()
    assert ((weight > 0).sum(axis=1) == np.minimum(others, size - 1)).all()
    assert (choice_sets.log_weight[:, 0] == 0).all()
    everything = others <= size - 1
    assert weight[everything].sum(axis=1) == pytest.approx(others[everything], abs=1e-3)


def test_what_sources_name_first_is_drawn_most() -> None:
    history = generated(users=60, posts=300, interactions=4000)
    options = LearningOptions(requests=150, candidates=60)
    ranking = RankingOptions(candidates=40, whole_catalogue=0)

    sets, others = sampled(history, options, ranking)

    weight = np.exp(sets.choice_sets().log_weight[:, 1:])
    assert weight.sum(axis=1) == pytest.approx(others, rel=1e-3)
    strong, rest = weight[:, 0], weight[:, -1]
    assert (strong <= rest).all()
    assert np.median(strong) < 2 < np.median(rest)


def test_a_choice_on_a_page_is_known_when_the_page_is_complete() -> None:
    likes = [(1, 2, LIKE, 5 * DAY), (1, 3, LIKE, 5 * DAY)]
    pages = [(1, 5 * DAY - 60, [2, 1], [])]
    replay = Replay(Feed(2, [Post()] * 4, likes, pages=pages).dataset(), RankingOptions(), test_from=9 * DAY)
    options = LearningOptions(candidates=5)

    sampled = SampledExamples(replay, training_examples(replay, options), options)

    counts = [sampled.count_known(5 * DAY + later) for later in (1, DAY - 61, DAY - 59)]
    assert counts == [1, 1, 2]


def test_full_choice_sets_are_numbered_as_the_choice_sets_that_are_known() -> None:
    history = generated(users=60, posts=300, interactions=4000)
    sets, _ = sampled(history, LearningOptions(requests=150, candidates=30), RankingOptions())
    middle = float(np.median(history.events.time))

    for before in (middle, np.inf):
        choice_sets, full = sets.choice_sets(before), sets.full_choice_sets(before)
        assert full
        for one in full:
            assert one.inputs.shape[0] == len(user_features.names())
            if one.chosen >= 0:
                chosen = one.inputs[:, one.chosen].astype(np.float32)
                assert chosen == pytest.approx(choice_sets.inputs[one.number, 0], rel=2e-3, abs=2e-3)
