"""Posts that were shown without any engagement get a smaller score."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.domain.feed.state import FeedState
from app.domain.feed.time_units import HOUR
from app.domain.ranking.sink import ImpressionSink
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import VIEW, Feed, Post, whole_state

NOON = 1_000_000.0


def state_with(events: Sequence[tuple[int, int, int, float]] = ()) -> FeedState:
    """One user and six posts, in order of their rows."""
    state, _timeline = whole_state(Feed(1, [Post(created=float(row)) for row in range(6)], events).dataset())
    return state


def factors(state: FeedState, *, now: float = NOON, rows: Sequence[int] = (0, 1, 2, 3, 4, 5)) -> list[float]:
    sink = ImpressionSink(factor=0.5, half_life_hours=24)
    return sink(RankingContext(state, 0, now), np.array(rows, np.intp)).tolist()


def show(state: FeedState, *posts: int, at: float, seen: bool = False) -> None:
    state.impressions.record(0, np.array(posts), at, seen=seen)


def test_the_factor_falls_with_each_impression_and_recovers_with_its_age() -> None:
    state = state_with()
    day = 24 * HOUR
    for at in (NOON - day, NOON - 2 * day):
        show(state, 2, at=at)
    show(state, 4, at=NOON - day)

    assert factors(state) == pytest.approx([1, 1, 0.5 ** (0.5 + 0.25), 1, 0.5**0.5, 1])
    assert factors(state, rows=(0, 4)) == pytest.approx([1, 0.5**0.5])
    assert factors(state, rows=()) == []


def test_an_impression_has_no_effect_while_the_page_may_be_repeated() -> None:
    state = state_with()
    show(state, 2, at=NOON)

    assert factors(state, now=NOON + 9.9) == [1] * 6
    assert factors(state, now=NOON + 10)[2] < 1


@pytest.mark.parametrize(("event_at", "sinks"), [(NOON - 1, True), (NOON, False), (NOON + 1, False)])
def test_engagement_with_a_post_takes_back_its_earlier_impressions(event_at: float, sinks: bool) -> None:
    state = state_with([(0, 2, VIEW, event_at), (0, 3, VIEW, NOON)])
    show(state, 2, at=NOON)

    assert (factors(state, now=NOON + HOUR)[2] < 1) == sinks


def test_the_other_posts_of_a_page_with_an_engaged_post_sink_less() -> None:
    state = state_with([(0, 2, VIEW, NOON)])
    show(state, 1, 2, at=NOON - 24 * HOUR)
    show(state, 3, at=NOON - 48 * HOUR)

    assert factors(state) == pytest.approx([1, 0.5 ** (0.25 * 0.5), 1, 0.5**0.25, 1, 1])


def test_only_seen_posts_sink_once_the_client_reports_what_was_seen() -> None:
    state = state_with()
    show(state, 1, 2, at=NOON - HOUR)
    show(state, 2, 3, at=NOON - 2 * HOUR)
    assert [factor < 1 for factor in factors(state)] == [False, True, True, True, False, False]

    show(state, 3, at=NOON - 2 * HOUR, seen=True)

    assert [factor < 1 for factor in factors(state)] == [False, False, False, True, False, False]
