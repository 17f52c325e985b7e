"""Removed events leave the state as if they had never been."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import EventColumns
from app.domain.feed.retraction import PairEvents, replace_events
from app.domain.feed.state import FeedState
from tests.support.feeds import LIKE, VIEW
from tests.unit.test_domain.test_feed.test_event_counting import columns, empty_state, events

NOW = 1e5
ROWS = np.arange(3)


def numbered(rows) -> EventColumns:
    """Events whose number is their place in order of receipt."""
    return columns(sorted(rows, key=lambda row: row[3]))


def without(all_events: EventColumns, removed: set[int]) -> EventColumns:
    return all_events[np.flatnonzero(~np.isin(all_events.seq, list(removed)))]


def in_order_of_receipt(state: FeedState, all_events: EventColumns) -> None:
    for place in np.argsort(all_events.seq).tolist():
        state.record(all_events[place : place + 1])


def histories(state: FeedState) -> list[list[tuple]]:
    rows = [state.events_by_user.row(user) for user in range(3)]
    rows += [state.users_by_post.row(post) for post in range(3)]
    return [sorted(zip(*row, strict=True)) for row in rows]


def assert_same(state: FeedState, expected: FeedState) -> None:
    assert histories(state) == histories(expected)
    assert state.engagements[:3].tolist() == expected.engagements[:3].tolist()
    assert state.last_engaged[:3].tolist() == expected.last_engaged[:3].tolist()
    for name in ("post_counters", "strong_counters", "author_counters"):
        given_counts, counts = (getattr(one, name).values(NOW, ROWS) for one in (state, expected))
        np.testing.assert_allclose(given_counts, counts, rtol=1e-9, atol=0)
    assert state.top_posts(0, 3).tolist() == expected.top_posts(0, 3).tolist()


@given(events, st.data())
def test_removed_events_leave_the_state_that_the_others_give(rows, data):
    every = numbered(rows)
    state = empty_state()
    in_order_of_receipt(state, every)
    state.top_posts(0, 3)  # an order to invalidate
    removed: set[int] = set()

    for user, post in data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=4)):
        of_pair = every.seq[(every.user == user) & (every.post == post)].tolist()
        chosen = set(data.draw(st.lists(st.sampled_from(of_pair)))) if of_pair else set()
        removed |= chosen
        left = without(every, removed)
        stored = left[np.flatnonzero((left.user == user) & (left.post == post))]
        replace_events(state, [PairEvents(user, post, chosen, stored)])

    expected = empty_state()
    in_order_of_receipt(expected, without(every, removed))
    assert_same(state, expected)


def test_a_view_that_did_not_count_takes_the_place_of_the_removed_one_of_its_window():
    views = numbered([(0, 1, VIEW, 5, 0), (0, 1, VIEW, 20, 0)])
    state = empty_state()
    in_order_of_receipt(state, views)

    replace_events(state, [PairEvents(0, 1, {0}, views[np.array([1])])])

    assert state.events_by_user.row(0)[1].tolist() == [1200.0]


def test_an_event_that_was_applied_after_the_read_of_the_log_stays():
    likes = numbered([(0, 1, LIKE, 5, 0), (0, 1, VIEW, 6, 0)])
    state = empty_state()
    in_order_of_receipt(state, likes)

    replace_events(state, [PairEvents(0, 1, {0}, likes[:0])])  # the read saw neither

    assert state.events_by_user.row(0)[4].tolist() == [1]


@pytest.mark.parametrize("pairs", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_likes_and_retractions_leave_no_drift(pairs):
    other, like = numbered([(2, 1, LIKE, 1, 0), (0, 1, LIKE, 2, 0)])[:1], numbered([(0, 1, LIKE, 2, 0)])
    state, expected = empty_state(), empty_state()
    for one in (state, expected):
        one.record(other)

    for _ in range(pairs):
        state.record(like)
        replace_events(state, [PairEvents(0, 1, {0}, like[:0])])

    values, before = (one.post_counters.values(NOW, ROWS) for one in (state, expected))
    assert values.tolist() == before.tolist()
    assert state.events_by_user.length(0) == 0


def test_removing_twice_is_removing_once():
    likes = numbered([(0, 1, LIKE, 5, 0)])
    state = empty_state()
    state.record(likes)

    for _ in range(2):
        replace_events(state, [PairEvents(0, 1, {0}, likes[:0])])

    assert_same(state, empty_state())
    assert state.post_counters.values(NOW, ROWS) == pytest.approx(0.0)
