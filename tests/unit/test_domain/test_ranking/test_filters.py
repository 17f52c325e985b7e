"""Every rule of eligibility, alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, VIEW, Feed, Post, feeds, whole_state


def allowed(
    rule, feed: Feed, user: int = 0, now: float = 1e6, barred=lambda state, user, row: ()
) -> set[int]:
    """The feed's posts that the rule allows; `barred` of the state, the user's row and the rows of posts."""
    state, chronicle = whole_state(feed.dataset())
    asks = int(chronicle.user_row[user]) if user >= 0 else -1
    not_these = np.array(barred(state, asks, chronicle.post_row), np.intp)
    context = RankingContext(state, asks, now, not_these)
    rows = np.arange(state.n_posts)
    return set(np.argsort(chronicle.post_row)[rows[rule(context, rows)]].tolist())


def test_hidden_posts_and_posts_of_the_future_are_not_published():
    feed = Feed(1, [Post(1.0), Post(1.0, visible=False), Post(10.0), Post(11.0)])

    assert allowed(Published(), feed, now=10.0) == {0, 2}


def test_a_removed_post_is_not_published():
    state, chronicle = whole_state(Feed(1, [Post(), Post()]).dataset())
    state.remove_post(chronicle.dataset.posts.key[0].tobytes())

    rows = np.arange(2)
    kept = Published()(RankingContext(state, -1, 1.0), rows)

    assert rows[kept].tolist() == [chronicle.post_row[1]]


def test_nobody_is_offered_his_own_posts_and_unknown_authors_are_nobody():
    feed = Feed(2, [Post(author=0), Post(author=1), Post(author=-1)])

    assert allowed(NotOwn(), feed) == {1, 2}
    assert allowed(NotOwn(), feed, user=-1) == {0, 1, 2}


@given(feeds(), st.frozensets(st.integers(0, 4), min_size=1))
def test_met_posts_are_those_with_an_event_of_one_of_the_kinds(feed, kinds):
    met = {post for user, post, kind, _ in feed.events if user == 0 and kind in kinds}

    def of_kinds(state, user, rows):
        return state.seen_posts(user, kinds)

    assert allowed(NotExcluded(), feed, barred=of_kinds) == set(range(len(feed.posts))) - met
    assert allowed(NotExcluded(), feed, user=-1, barred=of_kinds) == set(range(len(feed.posts)))


def test_a_look_does_not_hide_a_post_where_only_likes_do():
    feed = Feed(1, [Post(), Post()], [(0, 0, VIEW, 1.0), (0, 1, LIKE, 2.0)])

    assert allowed(
        NotExcluded(), feed, barred=lambda state, user, _: state.seen_posts(user, frozenset({LIKE}))
    ) == {0}
    assert allowed(NotExcluded(), feed, barred=lambda state, user, _: state.seen_posts(user)) == set()


@given(st.lists(st.integers(0, 4), max_size=8))
def test_excluded_posts_are_left_out(excluded):
    feed = Feed(1, [Post(created=float(i)) for i in range(5)])

    left = allowed(NotExcluded(), feed, barred=lambda state, user, rows: rows[np.array(excluded, np.intp)])

    assert left == set(range(5)) - set(excluded)
