"""Whatever ranks counts people: repeated events of one user move no other user's feed further."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import EventColumns
from app.domain.feed.event_counting import CountingRule, counted_events
from app.domain.feed.retraction import set_account_created
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from tests.support.feeds import COMMENT, LIKE, VIEW, Feed, Post

MINUTE = 60.0
RULE = CountingRule(window_minutes=60.0, limit=3)
AUTHORS = np.array([0, 1, -1], np.int32)  # of the posts 0, 1 and 2

events = st.lists(
    st.tuples(
        st.integers(0, 2),  # user
        st.integers(0, 2),  # post
        st.sampled_from([VIEW, LIKE, COMMENT]),
        st.integers(0, 400),  # minute of receipt
        st.integers(0, 400),  # minutes before receipt at which it happened
    ),
    max_size=60,
)


def columns(rows: list[tuple[int, int, int, int, int]]) -> EventColumns:
    """Events in order of their own time, numbered in order of receipt."""
    received = sorted(rows, key=lambda row: row[3])
    numbered = sorted(enumerate(received), key=lambda one: (one[1][3] - one[1][4], one[0]))
    user, post, kind, minute, before = (
        np.array([row[column] for _, row in numbered], np.int64) for column in range(5)
    )
    return EventColumns(
        user.astype(np.int32),
        post.astype(np.int32),
        kind.astype(np.uint8),
        (minute - before) * 60_000_000,
        np.array([number for number, _ in numbered], np.int64),
        received_us=minute * 60_000_000,
    )


def expected(given_events: EventColumns, rule: CountingRule) -> list[bool]:
    """The rule as docs/trust-and-control.md states it, event by event."""
    counted: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    result = [False] * len(given_events)
    for place in np.lexsort((given_events.seq, given_events.received_us)).tolist():
        user, post = int(given_events.user[place]), int(given_events.post[place])
        earlier = counted[user, post, int(given_events.kind[place])]
        received = float(given_events.received[place])
        is_own = AUTHORS[post] == user
        is_in_window = bool(earlier) and received < earlier[-1] + rule.window_seconds
        if not is_own and not is_in_window and len(earlier) < rule.limit:
            earlier.append(received)
            result[place] = True
    return result


def empty_state(rule: CountingRule = RULE) -> FeedState:
    state = FeedState(rule)
    state.add_users([bytes([user]) * 16 for user in range(3)])
    state.add_posts(
        [bytes([100 + post]) * 16 for post in range(3)],
        external_ids=[None] * 3,
        author=AUTHORS,
        created=np.zeros(3),
        visible=np.ones(3, np.bool_),
        seq=np.arange(3),
        texts=[""] * 3,
        tags=[()] * 3,
    )
    return state


@given(events, st.integers(1, 4), st.sampled_from([0.0, 1.0, 60.0]))
def test_one_event_of_a_window_counts_up_to_the_limit_and_none_on_own_posts(rows, limit, window):
    rule = CountingRule(window, limit)

    assert counted_events(rule, columns(rows), AUTHORS).tolist() == expected(columns(rows), rule)


@given(events, st.integers(0, 60))
def test_events_received_in_two_parts_count_as_those_received_at_once(rows, split):
    rows = sorted(rows, key=lambda row: row[3])
    state = empty_state()

    state.record(columns(rows[:split]))
    state.record(columns(rows[split:]))

    at_once = columns(rows)
    counted = at_once[np.flatnonzero(expected(at_once, RULE))]
    assert state.n_events == len(rows)
    assert state.engagements[:3].tolist() == np.bincount(counted.post, minlength=3).tolist()
    for user in range(3):
        posts, times, kinds, received, _ = state.events_by_user.row(user)
        of_user = counted.user == user
        assert sorted(zip(posts, times, kinds, received, strict=True)) == sorted(
            zip(
                *(one[of_user] for one in (counted.post, counted.time, counted.kind, counted.received)),
                strict=True,
            )
        )


@given(st.integers(1, 40), st.integers(0, 59))
def test_a_burst_leaves_the_state_that_its_first_event_leaves(count, minute):
    burst = [(0, 1, VIEW, minute * place // count, place) for place in range(count)]
    once, often = empty_state(), empty_state()

    once.record(columns(burst[:1]))
    for event in burst:
        often.record(columns([event]))

    assert often.n_events == count
    for name in ("engagements", "last_engaged"):
        np.testing.assert_array_equal(getattr(often, name), getattr(once, name))
    rows = np.arange(3)
    np.testing.assert_array_equal(often.post_counters.values(9e4, rows), once.post_counters.values(9e4, rows))
    np.testing.assert_array_equal(
        often.author_counters.values(9e4, rows), once.author_counters.values(9e4, rows)
    )


def test_an_event_adds_the_weight_of_its_kind_and_less_from_a_new_account():
    rule = CountingRule(kind_weights=(0.1, 0.2, 0.7, 1.0, 1.5), new_account_weight=0.5, new_account_hours=2)
    created = np.array([-np.inf, -np.inf, 1e6, 1e6, 1e6, 1e6])
    times = np.array([0.0, 9e9, 1e6 - 7 * 86_400 - 1, 1e6 - 7 * 86_400, 1e6 + 7_199, 1e6 + 7_200])

    weights = rule.weights(np.array([0, 4, 3, 3, 3, 3], np.uint8), times, created)

    assert weights.tolist() == [0.1, 1.5, 1.0, 0.5, 0.5, 1.0]


@given(events, st.lists(st.sampled_from([-np.inf, 0.0, 3_600.0, 2e5]), min_size=3, max_size=3))
def test_a_time_of_sign_up_that_comes_late_counts_like_one_that_was_known(rows, created):
    rule = replace(RULE, new_account_weight=0.2)
    late, known = empty_state(rule), empty_state(rule)
    known.accounts_created[:3] = created
    known.record(columns(rows))

    late.record(columns(rows))
    for user, time in enumerate(created):
        set_account_created(late, user, time)

    rows = np.arange(3)
    for name in ("post_counters", "strong_counters", "author_counters"):
        found, expected_values = (getattr(one, name).values(9e4, rows) for one in (late, known))
        np.testing.assert_allclose(found, expected_values, rtol=1e-9)


def test_a_replay_counts_by_the_events_own_times_and_a_reference_ranker_counts_every_row():
    feed = Feed(2, [Post(author=0)], [(1, 0, LIKE, 10 * MINUTE * step) for step in range(20)])

    replayed = FeedTimeline(feed.dataset(), replay=True).apply_all()
    every_row = FeedTimeline(feed.dataset(), replay=True, counting=None).apply_all()

    assert replayed.events_by_user.row(1)[1].tolist() == [0.0, 3600.0, 7200.0]
    assert every_row.engagements[0] == 20
