"""Each source returns the posts that plain Python finds."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.event_counting import DEFAULT_RULE
from app.domain.feed.state import HALF_LIVES
from app.domain.ranking import neighbourhood, sources
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import COMMENT, LIKE, Feed, Post, feeds, whole_state

NOW = 80_000.0
DAY = HALF_LIVES.index(86_400.0)


def context_and_numbers(feed: Feed, user: int = 0, now: float = NOW):
    """The context of the feed's `user`, and the number in the feed of each row."""
    state, timeline = whole_state(feed.dataset())
    context = RankingContext(state, int(timeline.user_row[user]) if user >= 0 else -1, now)
    return context, np.argsort(timeline.post_row)


def numbers_of(source, feed: Feed, user: int = 0, now: float = NOW) -> list[int]:
    context, number = context_and_numbers(feed, user, now)
    return number[source(context)].tolist()


EVERY = [
    sources.WholeCatalogue(100),
    sources.LiveNeighbours(5),
    sources.Fresh(3, 10),
    sources.PopularAuthors(3, 10),
    sources.FollowedAuthors(4, 2),
    sources.EngagedByFollowed(4, 3),
    sources.FavouriteTopics(4, 10),
]


@pytest.mark.parametrize("source", EVERY, ids=lambda source: source.name)
@given(feed=feeds(), user=st.integers(-1, 6), step=st.integers(0, 60))
def test_any_source_returns_known_posts_once_and_at_most_its_limit(source, feed, user, step):
    context, _ = context_and_numbers(feed, user % feed.users if user >= 0 else -1, step * 1800.0)

    rows = source(context)

    assert rows.dtype == np.intp
    assert len(set(rows.tolist())) == len(rows) <= source.limit
    assert all(0 <= row < context.state.n_posts for row in rows.tolist())


@pytest.mark.parametrize(
    "source", [*EVERY[1:], sources.Trending((1, DAY), 3)], ids=lambda source: source.name
)
@given(feed=feeds(), user=st.integers(0, 6), step=st.integers(0, 60))
def test_excluded_posts_take_no_place_of_allowed_ones(source, feed, user, step):
    context, _ = context_and_numbers(feed, user % feed.users, step * 1800.0)
    found = np.array(list(dict.fromkeys(source(context).tolist())), np.intp)
    half = found[::2]

    without = source(RankingContext(context.state, context.user, context.now, half))

    assert not set(without.tolist()) & set(half.tolist())
    assert set(without.tolist()) >= set(found[1::2].tolist())


@pytest.mark.parametrize("source", EVERY, ids=lambda source: source.name)
def test_sources_of_one_pipeline_have_distinct_names(source):
    assert [one.name for one in EVERY].count(source.name) == 1


@given(feeds(), st.integers(0, 60), st.integers(1, 5))
def test_fresh_posts_are_the_newest_published_ones(feed, step, limit):
    now = step * 1800.0
    found = numbers_of(sources.Fresh(limit, 10), feed, now=now)

    published = sorted((post.created for post in feed.posts if post.created <= now), reverse=True)
    assert [feed.posts[i].created for i in found] == published[:limit]


@given(feeds(), st.integers(1, 5))
def test_trending_posts_have_the_largest_decayed_engagement(feed, limit):
    found = numbers_of(sources.Trending((DAY,), limit), feed)

    decayed = Counter()
    for _, post, kind, time in feed.counted_events:
        decayed[post] += DEFAULT_RULE.kind_weights[kind] * 0.5 ** ((NOW - time) / 86_400)
    best = sorted(decayed.values(), reverse=True)[:limit]
    assert [decayed[post] for post in found] == pytest.approx(best)


@given(feeds(), st.integers(1, 4), st.integers(1, 3))
def test_followed_authors_give_their_newest_posts(feed, limit, per_author):
    context, number = context_and_numbers(feed)

    found = number[sources.FollowedAuthors(limit, per_author)(context)].tolist()

    followed = {b for a, b, _ in feed.follows if a == 0}
    by_author = Counter(feed.posts[i].author for i in found)
    assert set(by_author) <= followed
    assert all(count <= per_author for count in by_author.values())
    created = [feed.posts[i].created for i in found]
    assert created == sorted(created, reverse=True)
    if sum(post.author in followed for post in feed.posts) > 0:
        assert found


@given(feeds())
def test_posts_that_followed_users_engaged_with_come_latest_first(feed):
    found = numbers_of(sources.EngagedByFollowed(50, 100), feed)

    followed = {b for a, b, _ in feed.follows if a == 0}
    last = {}
    for user, post, _, time in feed.counted_events:
        if user in followed:
            last[post] = max(last.get(post, -math.inf), time)
    assert set(found) == set(last)
    assert [last[post] for post in found] == sorted(last.values(), reverse=True)


def test_a_topic_with_a_larger_share_gets_more_places():
    posts = [Post(created=float(i), tags=("cats",) if i % 2 else ("dogs",)) for i in range(40)]
    events = [(0, 1, LIKE, 50.0), (0, 3, LIKE, 51.0), (0, 5, LIKE, 52.0), (0, 0, LIKE, 53.0)]

    found = numbers_of(sources.FavouriteTopics(10, 40), Feed(1, posts, events))

    topics = Counter(posts[i].tags[0] for i in found)
    assert topics["cats"] > topics["dogs"] > 0
    assert 39 in found


def test_popular_authors_are_those_with_events_of_other_users():
    posts = [Post(1.0, author=0), Post(2.0, author=1), Post(3.0, author=1), Post(4.0)]
    events = [(2, 1, COMMENT, 10.0), (3, 1, COMMENT, 11.0), (0, 0, COMMENT, 12.0)]

    found = numbers_of(sources.PopularAuthors(4, 10), Feed(4, posts, events))

    assert set(found[:2]) == {1, 2}
    assert 3 not in found  # its author is unknown


def test_live_neighbours_return_posts_of_similar_users_and_none_for_an_unknown_user():
    similar = [
        (0, 0, LIKE, 10.0),
        (0, 1, LIKE, 20.0),
        (1, 0, LIKE, 11.0),
        (1, 1, LIKE, 21.0),
        (1, 2, LIKE, 30.0),
    ]
    other = [(2, 3, LIKE, 12.0)]
    feed = Feed(3, [Post()] * 4, [*similar, *other])

    found = numbers_of(sources.LiveNeighbours(10), feed)

    assert 2 in found
    assert 3 not in found
    assert numbers_of(sources.LiveNeighbours(10), feed, user=-1) == []


def test_of_many_neighbours_the_most_similar_are_kept_and_of_equal_ones_those_of_the_first_rows(monkeypatch):
    likes = [(user, 0, LIKE, 10.0) for user in range(70)]
    likes += [(user, 1, LIKE, 10.0) for user in (0, *range(61, 130))]
    context, _ = context_and_numbers(Feed(130, [Post()] * 2, likes))

    users, similarity = neighbourhood.neighbours(context)
    monkeypatch.setattr(neighbourhood, "_MAX_NEIGHBOURS", 1000)
    context, _ = context_and_numbers(Feed(130, [Post()] * 2, likes))
    every_user, every_similarity = neighbourhood.neighbours(context)

    assert len(users) == 80 < len(every_user) == 129
    assert users.tolist() == every_user[:80].tolist()
    assert similarity.tolist() == every_similarity[:80].tolist()
    assert every_similarity[8] > every_similarity[9] == every_similarity[-1]
    assert every_user[9:].tolist() == sorted(every_user[9:].tolist())


def test_the_whole_catalogue_is_returned_only_if_it_is_small():
    feed = Feed(1, [Post()] * 5)

    assert sorted(numbers_of(sources.WholeCatalogue(5), feed)) == [0, 1, 2, 3, 4]
    assert numbers_of(sources.WholeCatalogue(4), feed) == []


@given(st.lists(st.floats(-1, 1), max_size=30), st.integers(1, 10))
def test_top_by_value_returns_the_largest_positive_values(values, limit):
    rows = np.arange(len(values))[::-1]

    found = sources.top_by_value(rows, np.array(values, np.float64)[::-1], limit).tolist()

    positive = [value for value in values if value > 0]
    assert [values[row] for row in found] == sorted(positive, reverse=True)[:limit]
