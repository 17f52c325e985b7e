"""Decayed counters equal the sums of their definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.decayed_counters import DecayedCounters
from tests.support.state_copies import copied

HOUR = 3600.0
HALF_LIVES = (900.0, 86_400.0, 180 * 86_400.0)
START = 1.7e9
# row, seconds after START, weight
EVENT = st.tuples(st.integers(0, 7), st.integers(0, 200_000), st.sampled_from([0.0, 0.2, 1.0, 1.5]))
EVENTS = st.lists(EVENT, min_size=1, max_size=80).map(
    lambda events: sorted(events, key=lambda event: event[1])
)


def columns(events):
    """Rows, times and weights."""
    rows, times, weights = (np.array(column) for column in zip(*events, strict=True))
    return rows.astype(np.intp), START + times.astype(np.float64), weights.astype(np.float64)


def counters_with(events, cuts=(), ranked: int = 0) -> DecayedCounters:
    counters = DecayedCounters(HALF_LIVES, top_k_size=ranked)
    counters.ensure_rows(8)
    at = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    for a, b in itertools.pairwise(at):
        if a < b:
            counters.add(*columns(events[a:b]))
    return counters


@given(EVENTS, st.integers(200_000, 400_000))
def test_a_counter_is_the_weighted_sum_over_events_of_a_half_to_the_power_of_age_in_half_lives(events, later):
    now = START + later
    counters = counters_with(events)

    found = counters.values(now, np.arange(8))

    expected = [
        [
            sum(w * 0.5 ** ((later - time) / h) for row, time, w in events if row == asked)
            for asked in range(8)
        ]
        for h in HALF_LIVES
    ]
    assert found == pytest.approx(np.array(expected), rel=1e-6, abs=1e-300)
    assert np.array_equal(found[1], counters.all_values(1, now))


@given(EVENTS, st.lists(st.integers(0, 80), max_size=5))
def test_the_same_events_in_any_batches_give_the_same_bits(events, cuts):
    assert (
        counters_with(events).log2_counts(np.arange(8)).tobytes()
        == counters_with(events, cuts).log2_counts(np.arange(8)).tobytes()
    )


def test_years_of_engagement_neither_overflow_nor_lose_the_order():
    counters = DecayedCounters((900.0,))
    counters.ensure_rows(3)
    counters.add(np.array([0, 1, 1]), np.array([0.0, 3e9, 3e9 + 1]), np.ones(3))

    now = counters.values(3e9 + 2, np.arange(3))[0]

    assert now[0] == 0.0
    assert 1.9 < now[1] < 2.0
    assert now[2] == 0.0


@given(st.lists(EVENTS, min_size=1, max_size=4), st.integers(1, 3))
def test_the_top_k_are_the_rows_with_the_largest_counters_after_any_calls(parts, ranked):
    tie_breaks = np.array([3, 1, 4, 0, 5, 2, 7, 6])
    events = sorted((event for part in parts for event in part), key=lambda event: event[1])
    counters = DecayedCounters(HALF_LIVES, top_k_size=ranked)
    counters.ensure_rows(8)
    step = max(1, len(events) // 5)

    for start in range(0, len(events), step):
        some = events[start : start + step]
        counters.add(*columns(some))
        for index in range(len(HALF_LIVES)):
            level = counters.log2_values(index, np.arange(8))
            touched = [row for row in range(8) if level[row] > -np.inf]
            expected = sorted(touched, key=lambda row: (-level[row], -tie_breaks[row]))[:ranked]
            assert counters.top_k(index, ranked, tie_breaks).tolist() == expected


TOP_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "replace"]),
        st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=6),
        st.integers(1, 4),  # rows asked for
    ),
    min_size=1,
    max_size=30,
)


@given(TOP_CHANGES)
def test_the_top_k_are_exact_after_counts_rise_fall_and_tie(changes):
    tie_breaks = np.array([3, 1, 4, 0, 5, 2, 7, 6])
    counters = DecayedCounters((HOUR,), top_k_size=4)
    counters.ensure_rows(8)
    for what, rows_and_times, count in changes:
        rows, times = (np.array(column) for column in zip(*rows_and_times, strict=True))
        if what == "add":
            counters.add(rows, times * HOUR, np.ones(len(rows)))
        else:
            rows, first = np.unique(rows, return_index=True)
            few = [counters.log2_counts_of(np.full(n, HOUR), np.ones(n)) for n in times[first].tolist()]
            counters.replace(rows, np.array(few))

        level = counters.log2_values(0, np.arange(8))
        touched = [row for row in range(8) if level[row] > -np.inf]
        expected = sorted(touched, key=lambda row: (-level[row], -tie_breaks[row]))[:count]
        assert counters.top_k(0, count, tie_breaks).tolist() == expected


@given(EVENTS, EVENTS)
def test_restored_counters_continue_like_the_saved_ones(before, after):
    counters = counters_with(before, ranked=2)

    again = DecayedCounters.from_tree(copied(counters.array_tree(8)), HALF_LIVES, 8, 2)

    rows, times, weights = columns(after)
    for one in (counters, again):
        one.add(rows, times + 200_000, weights)
    assert counters.log2_counts(np.arange(8)).tobytes() == again.log2_counts(np.arange(8)).tobytes()
    assert counters.top_k(0, 2, np.arange(8)).tolist() == again.top_k(0, 2, np.arange(8)).tolist()
