"""Each eligibility filter allows the right posts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, VIEW, Feed, Post, feeds, whole_state


def allowed(
    rule, feed: Feed, user: int = 0, now: float = 1e6, excluded=lambda state, user, row: ()
) -> set[int]:
    """Numbers of the posts that the rule allows; `excluded` returns the rows that the request excludes."""
    state, timeline = whole_state(feed.dataset())
    user_row = int(timeline.user_row[user]) if user >= 0 else -1
    excluded_rows = np.array(excluded(state, user_row, timeline.post_row), np.intp)
    context = RankingContext(state, user_row, now, excluded_rows)
    rows = np.arange(state.n_posts)
    return set(np.argsort(timeline.post_row)[rows[rule(context, rows)]].tolist())


def test_hidden_posts_and_posts_of_the_future_are_not_published():
    feed = Feed(1, [Post(1.0), Post(1.0, visible=False), Post(10.0), Post(11.0)])

    assert allowed(Published(), feed, now=10.0) == {0, 2}


def test_a_removed_post_is_not_published():
    state, timeline = whole_state(Feed(1, [Post(), Post()]).dataset())
    state.remove_posts([timeline.dataset.posts.key[0].tobytes()])

    rows = np.arange(2)
    kept = Published()(RankingContext(state, -1, 1.0), rows)

    assert rows[kept].tolist() == [timeline.post_row[1]]


def test_users_do_not_get_their_own_posts_and_get_posts_of_unknown_authors():
    feed = Feed(2, [Post(author=0), Post(author=1), Post(author=-1)])

    assert allowed(NotOwn(), feed) == {1, 2}
    assert allowed(NotOwn(), feed, user=-1) == {0, 1, 2}


@given(feeds(), st.frozensets(st.integers(0, 4), min_size=1))
def test_seen_posts_are_those_with_an_event_of_one_of_the_kinds(feed, kinds):
    seen = {post for user, post, kind, _ in feed.counted_events if user == 0 and kind in kinds}

    def of_kinds(state, user, rows):
        return state.seen_posts(user, kinds)

    assert allowed(NotExcluded(), feed, excluded=of_kinds) == set(range(len(feed.posts))) - seen
    assert allowed(NotExcluded(), feed, user=-1, excluded=of_kinds) == set(range(len(feed.posts)))


def test_a_view_does_not_exclude_a_post_if_only_likes_count():
    feed = Feed(1, [Post(), Post()], [(0, 0, VIEW, 1.0), (0, 1, LIKE, 2.0)])

    assert allowed(
        NotExcluded(), feed, excluded=lambda state, user, _: state.seen_posts(user, frozenset({LIKE}))
    ) == {0}
    assert allowed(NotExcluded(), feed, excluded=lambda state, user, _: state.seen_posts(user)) == set()


@given(st.lists(st.integers(0, 4), max_size=8))
def test_excluded_posts_are_not_allowed(numbers):
    feed = Feed(1, [Post(created=float(i)) for i in range(5)])

    found = allowed(NotExcluded(), feed, excluded=lambda state, user, rows: rows[np.array(numbers, np.intp)])

    assert found == set(range(5)) - set(numbers)
