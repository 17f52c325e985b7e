"""The four steps of the page selector, each alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.post_groups import PostGroups
from app.domain.ranking.page_selector import (
    draw_underexposed,
    exploration_seed,
    interleave,
    one_per_thread,
    slot_count,
    spaced_values,
)

NO_AUTHORS = np.empty(0, np.int32)


def test_spacing_multiplies_each_further_post_of_an_author_by_the_factor_down_to_the_floor():
    spaced = spaced_values(np.ones(5), np.array([3, 3, 7, 3, 3]), NO_AUTHORS, 0.5, 0.25)

    assert spaced.tolist() == [1.0, 0.5, 1.0, 0.25, 0.25]


def test_posts_of_earlier_pages_count_as_posts_of_their_authors():
    spaced = spaced_values(np.ones(3), np.array([3, 7, 3]), np.array([3, 5, -1]), 0.5, 0.25)

    assert spaced.tolist() == [0.5, 1.0, 0.25]


def test_spacing_leaves_posts_with_unknown_authors_alone():
    assert spaced_values(np.ones(3), np.array([-1, -1, -1]), NO_AUTHORS, 0.5, 0.25).tolist() == [
        1.0,
        1.0,
        1.0,
    ]


@pytest.mark.parametrize(
    ("size", "uniform", "slots"),
    [(50, 0.0, 2), (50, 0.99, 2), (60, 0.5, 2), (60, 0.7, 3), (10, 0.5, 0), (10, 0.7, 1), (1, 0.99, 0)],
)
def test_the_slot_count_is_the_share_rounded_up_with_the_probability_of_its_fraction(size, uniform, slots):
    assert slot_count(0.04, size, uniform) == slots


def test_at_most_half_of_a_page_explores():
    assert slot_count(1.0, 10, 0.5) == 5


def test_the_draw_takes_only_posts_with_few_engagements_below_the_page():
    created, engagements = np.arange(10.0), np.array([0, 0, 0, 9, 2, 9, 1, 9, 0, 9])

    drawn = draw_underexposed(created, engagements, np.arange(3, 10), 2, exploration_seed(b"5", 1e6))

    assert len(drawn) == 2
    assert set(drawn.tolist()) <= {4, 6, 8}


def test_the_draw_changes_with_the_hour_and_the_user_and_not_within_an_hour():
    created, engagements, below = np.arange(1000.0), np.zeros(1000, np.int64), np.arange(500, 1000)

    def drawn(user, now):
        return draw_underexposed(created, engagements, below, 3, exploration_seed(user, now)).tolist()

    assert drawn(b"5", 7200.0) == drawn(b"5", 10_799.0)
    assert drawn(b"5", 7200.0) != drawn(b"5", 10_800.0)
    assert drawn(b"5", 7200.0) != drawn(b"6", 7200.0)


def test_drawn_posts_stand_evenly_in_the_second_half_with_the_score_before_them():
    page = interleave(np.arange(8), np.arange(8, 0, -1) / 8, np.array([90, 91]))

    assert page.positions.tolist() == [0, 1, 2, 3, 4, 5, 90, 6, 7, 91]
    assert page.explored.nonzero()[0].tolist() == [6, 9]
    assert page.values.tolist() == [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.375, 0.25, 0.125, 0.125]


@given(st.integers(1, 40), st.integers(0, 40))
def test_interleaving_keeps_every_post_once_and_scores_that_never_rise(kept, drawn):
    drawn = min(drawn, kept)

    page = interleave(np.arange(kept), np.linspace(1, 0, kept), np.arange(100, 100 + drawn))

    assert sorted(page.positions.tolist()) == [*range(kept), *range(100, 100 + drawn)]
    assert page.positions[~page.explored].tolist() == list(range(kept))
    assert (np.diff(page.values) <= 0).all()


def groups_with(threads: list[int], originals: list[int]) -> PostGroups:
    saved = {
        name: {"code": np.array(codes, np.int32), "head": np.zeros(max(codes) + 1, KEY_DTYPE)}
        for name, codes in (("thread", threads), ("original", originals))
    }
    return PostGroups.from_tree(saved, len(threads))


def test_the_best_post_of_each_thread_and_of_each_original_is_chosen():
    groups = groups_with([0, 0, -1, 1, -1, 1], [-1, -1, 0, -1, 0, -1])

    assert one_per_thread(groups, np.array([5, 4, 3, 2, 1, 0])).tolist() == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert one_per_thread(groups, np.arange(6), np.array([1, 4])).tolist() == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=12),
    st.lists(st.integers(0, 11), max_size=2),
)
def test_no_thread_and_no_original_is_chosen_twice_and_none_is_omitted_without_need(groups, page):
    threads, originals = map(list, zip(*groups, strict=True))
    post_groups, rows = groups_with(threads, originals), np.arange(len(groups))
    on_page = np.array([row for row in page if row < len(groups)], np.intp)

    chosen = rows[one_per_thread(post_groups, rows, on_page)]

    for group in (post_groups.thread, post_groups.original):
        codes = [*dict.fromkeys(group[on_page].tolist()), *group[chosen].tolist()]
        assert len(codes) - codes.count(-1) == len(set(codes) - {-1})
    for row in set(rows.tolist()) - set(chosen.tolist()):
        others = set(rows.tolist()) - {row} | set(on_page.tolist())
        mine = {("thread", threads[row]), ("original", originals[row])}
        theirs = {
            (kind, group[other])
            for kind, group in (("thread", threads), ("original", originals))
            for other in others
        }
        assert (mine & theirs) - {("thread", -1), ("original", -1)} or row in on_page
