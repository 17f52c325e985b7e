"""The ports of ranking: the context that every part reads, and what a filter, a scorer and a selector guarantee."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import Reason
from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import CLAIMED_KINDS
from tests.support.feeds import COMMENT, LIKE, VIEW, Feed, Post, feeds, whole_state

NOW = 80_000.0


def context_of(feed: Feed, user: int = 0, excluded: tuple[int, ...] = ()) -> RankingContext:
    state, timeline = whole_state(feed.dataset())
    return RankingContext(state, int(timeline.user_row[user]), NOW, np.array(excluded, np.intp))


def test_a_context_reads_the_events_and_follows_of_its_user() -> None:
    events = [(0, 0, LIKE, 5.0), (1, 1, VIEW, 6.0), (0, 1, COMMENT, 7.0)]
    context = context_of(Feed(3, [Post(), Post()], events, [(0, 2, 1.0)]))

    posts, times, kinds = context.recent_events

    assert (times.tolist(), kinds.tolist(), context.event_count) == ([5.0, 7.0], [LIKE, COMMENT], 2)
    assert [context.state.seq[row] for row in posts.tolist()] == [1, 2]
    assert len(context.followed) == 1


def test_an_unknown_user_has_no_events_and_follows_nobody() -> None:
    state, _ = whole_state(Feed(1, [Post()], [(0, 0, VIEW, 5.0)], ()).dataset())
    context = RankingContext(state, -1, NOW)

    assert [len(column) for column in context.recent_events] == [0, 0, 0]
    assert (context.event_count, len(context.followed)) == (0, 0)


@given(st.sets(st.integers(0, 4)))
def test_a_post_is_allowed_unless_it_is_excluded(excluded: set[int]) -> None:
    context = context_of(Feed(1, [Post()] * 5), excluded=tuple(excluded))
    rows = np.array([[0, 1, 2], [4, 3, 0]])

    assert context.allowed(rows).tolist() == [[row not in excluded for row in line] for line in rows.tolist()]


def test_a_memoised_value_is_computed_once_for_each_key_and_request() -> None:
    computed: list[str] = []
    first, second = (context_of(Feed(1, [Post()])) for _ in range(2))

    for context in (first, first, second):
        for key in ("a", "b"):
            assert context.memoise(key, lambda key=key: computed.append(key) or key.upper()) == key.upper()

    assert computed == ["a", "b", "a", "b"]


@pytest.mark.parametrize("rule", [Published(), NotOwn(), NotExcluded()], ids=lambda rule: type(rule).__name__)
@given(feed=feeds())
def test_a_filter_decides_on_each_post_alone(rule, feed: Feed) -> None:
    context = context_of(feed, excluded=(0,))
    rows = np.arange(context.state.n_posts)

    kept = rule(context, rows)

    assert (kept.shape, kept.dtype) == (rows.shape, np.bool_)
    assert [bool(rule(context, rows[[row]])[0]) for row in rows.tolist()] == kept.tolist()


@given(feed=feeds())
def test_a_scorer_gives_each_post_a_score_a_reason_and_an_explanation(feed: Feed) -> None:
    context = context_of(feed)
    rows = np.arange(context.state.n_posts)

    scored = TrendingScorer(86_400.0)(context, rows)

    assert scored.values.shape == rows.shape
    assert ((scored.values >= 0) & (scored.values <= 1)).all()
    grounds = scored.grounds(rows)
    assert all(reason is None or reason in Reason for reason in grounds.reasons)
    assert len(grounds.reasons) == len(scored.explanations(rows)) == len(rows)
    assert grounds.strengths.shape == (len(rows), len(CLAIMED_KINDS))


@given(feed=feeds(), size=st.integers(1, 12))
def test_a_selector_fills_a_page_with_distinct_posts_and_scores_that_never_rise(
    feed: Feed, size: int
) -> None:
    context = context_of(feed)
    rows = np.arange(context.state.n_posts)

    selection = PageSelector(0.5, 0.25, 0.2)(context, rows, np.linspace(1.0, 0.1, len(rows)), size, rows[:0])

    positions = selection.positions.tolist()
    assert len(positions) == len(set(positions)) == min(size, len(rows))
    assert (np.diff(selection.values) <= 0).all()
    assert selection.explored.shape == selection.positions.shape
