"""The replay against the protocol written out in plain Python."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import COMMENT, LIKE, VIEW, Feed, Post, feeds, generated, shuffled
from tests.support.plain_replay import PlainReplay
from training.evaluation.rankers import LEARNED_RANKERS, RANKERS, rank
from training.replay.replay import Replay, target_kinds

SIMPLE = [name for name in RANKERS if name not in {*LEARNED_RANKERS, "formula"}]
HOUR = 3600.0


def replays(feed: Feed, test_from: float, refit_every: float = 4 * HOUR, seed: int = 0):
    history = feed.dataset()
    targets = target_kinds(history)
    replay = Replay(
        history, RankingOptions(), targets=targets, test_from=test_from, refit_every=refit_every, seed=seed
    )
    return replay, PlainReplay(history, targets, test_from, refit_every)


@given(feeds(), st.integers(0, 40))
def test_requests_are_those_that_the_protocol_names(feed, start):
    replay, plain = replays(feed, start * 1800.0)

    assert replay.test_requests(10**6).tolist() == plain.requests()


@given(feeds(most_controls=6), st.integers(0, 40))
def test_a_request_ranks_every_post_that_was_there_but_own_chosen_and_hidden_ones(feed, start):
    replay, plain = replays(feed, start * 1800.0)
    row_of = replay.timeline.post_row

    for moment in map(replay.request_at, replay.test_requests(10**6).tolist()):
        wanted = [row_of[post] for post in plain.eligible(moment.user, moment.time)]
        assert sorted(wanted) == moment.eligible.tolist()
        is_hidden = plain.hidden(moment.user, int(replay.timeline.post_order[moment.target]), moment.time)
        assert (moment.target in moment.eligible) != is_hidden


@given(feeds(least_events=8, most_controls=8), st.integers(0, 20))
def test_served_lists_hold_no_post_that_a_control_hides_at_that_time(feed, start):
    replay, _ = replays(feed, start * 1800.0)

    for moment in map(replay.request_at, replay.test_requests(10**6).tolist()):
        found = rank("served", replay.options, moment, None)
        assert set(found.top.tolist()) <= set(moment.eligible.tolist())
        assert 1 <= found.rank <= len(moment.eligible) + 1


@given(feed=feeds(least_events=8), start=st.integers(2, 20), seed=st.integers(0, 3))
def test_a_simple_ranker_orders_posts_as_its_definition_says(feed, start, seed):
    replay, plain = replays(feed, start * 1800.0, seed=seed)
    file_row = np.argsort(replay.timeline.post_row)

    for moment in map(replay.request_at, replay.test_requests(10**6).tolist()):
        for name in SIMPLE:
            found = rank(name, replay.options, moment, None)

            score = plain.scores(name, moment.user, moment.time)
            if plain.tied:
                continue  # which of equal neighbours count is nobody's business
            listed = [score[post] for post in file_row[found.top].tolist()]
            in_order = (
                a > b or a == pytest.approx(b, rel=1e-9, abs=1e-12) for a, b in itertools.pairwise(listed)
            )
            assert all(in_order), name
            # fewer than 50 posts: the list is whole
            assert set(found.top.tolist()) == set(moment.eligible.tolist()), name
            assert found.top[found.rank - 1] == moment.target, name


@given(feeds(least_events=10), st.integers(0, 3))
def test_equal_scores_are_in_an_order_that_knows_neither_the_file_nor_the_posts_age(feed, seed):
    here, _ = replays(feed, 0.0, seed=seed)
    there = Replay(
        shuffled(feed.dataset(), 1), RankingOptions(), targets=here.targets, test_from=0.0, seed=seed
    )

    def lists(replay: Replay) -> list[list[str]]:
        title = [replay.dataset.posts.external_id[i] for i in np.argsort(replay.timeline.post_row)]
        return [
            [title[row] for row in rank("random", replay.options, moment, None).top]
            for moment in map(replay.request_at, replay.test_requests(10**6).tolist())
        ]

    assert lists(here) == lists(there)


@pytest.mark.parametrize("at_most", [10**6, 160])
def test_another_seed_breaks_ties_otherwise_and_the_chosen_post_is_nowhere_preferred(at_most):
    history = generated(interactions=9000)
    replay, other = (
        Replay(history, RankingOptions(), targets=target_kinds(history), seed=seed) for seed in (0, 1)
    )

    shares, ranks = [], []
    for one in (replay, other):
        moments = map(one.request_at, one.test_requests(at_most).tolist())
        found = [(rank("random", one.options, moment, None).rank, len(moment.eligible)) for moment in moments]
        ranks.append([place for place, _ in found])
        shares.append(np.array([(place - 0.5) / among for place, among in found]))

    assert ranks[0] != ranks[1]
    tenths = np.histogram(shares[0], bins=10, range=(0, 1))[0]
    assert len(shares[0]) > 150
    assert (
        (tenths - tenths.mean()) ** 2 / tenths.mean()
    ).sum() < 27.9  # chi-square, 9 degrees of freedom, p = .001


def test_fewer_requests_are_those_with_the_smallest_hash_and_a_cut_file_keeps_the_order_of_hashes():
    history = generated(interactions=4000)
    replay = Replay(history, RankingOptions(), targets=target_kinds(history))
    every = replay.test_requests(10**6)

    some = replay.test_requests(40)

    hashes = dict(zip(every.tolist(), replay.hashes(every).tolist(), strict=True))
    assert set(some.tolist()) == set(sorted(every.tolist(), key=hashes.__getitem__)[:40])
    assert some.tolist() == sorted(some.tolist())
    assert set(replay.test_requests(20).tolist()) <= set(some.tolist())


def test_looking_is_a_choice_only_where_a_feed_has_nothing_stronger():
    posts = [Post(), Post()]
    looks = Feed(2, posts, [(0, 0, VIEW, 10.0), (1, 1, VIEW, 20.0)]).dataset()
    mixed = Feed(2, posts, [(0, 0, VIEW, 10.0), (0, 0, LIKE, 15.0), (1, 1, COMMENT, 20.0)]).dataset()

    assert target_kinds(looks) == {VIEW}
    assert target_kinds(mixed) == {LIKE, COMMENT}
    assert target_kinds(mixed, ["view"]) == {VIEW}


def test_the_test_part_starts_at_the_row_after_four_fifths_of_the_file():
    events = [(row % 3, row % 4, COMMENT, float(row)) for row in range(17)]
    history = Feed(3, [Post()] * 4, events).dataset()

    replay = Replay(history, RankingOptions(), targets=target_kinds(history))

    assert replay.test_from == 13.0  # floor(0.8 x 17)


def test_a_post_is_there_from_its_first_event_even_where_its_row_is_dated_later():
    feed = Feed(3, [Post(created=100.0), Post(created=0.0)], [(0, 0, COMMENT, 50.0), (1, 0, COMMENT, 60.0)])

    replay, _ = replays(feed, 0.0)

    assert replay.test_requests(9).tolist() == [1]  # at 50 it was not yet there, strictly before
    (moment,) = map(replay.request_at, replay.test_requests(9).tolist())
    assert moment.state.created[moment.target] == 50.0
