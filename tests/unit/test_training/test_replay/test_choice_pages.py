"""The page that a choice was made on, and what the user ignored on it."""

import numpy as np
from hypothesis import given

from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import LIKE, VIEW, Feed, Post, feeds, impressions_of
from training.evaluation.rankers import rank
from training.replay.choice_pages import MAX_AGE_SECONDS
from training.replay.replay import Replay

NOON = 10 * DAY
POSTS = [Post(float(number)) for number in range(6)]


def replay_of(feed: Feed) -> Replay:
    return Replay(feed.dataset(), RankingOptions(), test_from=0.0)


def page_of(feed: Feed) -> tuple[float, list[int]]:
    """The time of the page of the only request, and the posts that were ignored on it."""
    replay = replay_of(feed)
    page = replay.request_at(replay.requests[-1]).page
    rows = replay.pages.ignored(page)
    return replay.pages.shown_at(page), sorted(replay.timeline.post_order[rows].tolist())


def test_a_choice_was_made_on_the_newest_page_with_the_post_before_it() -> None:
    pages = [
        (0, NOON - 2 * HOUR, [1, 2, 3], []),
        (0, NOON - HOUR, [3, 4, 2], []),
        (0, NOON - 60.0, [4, 5], []),
        (0, NOON, [2, 1], []),
        (1, NOON - 30.0, [2, 0], []),
    ]

    assert page_of(Feed(2, POSTS, [(0, 2, LIKE, NOON)], pages=pages)) == (NOON - HOUR, [3, 4])


def test_pages_of_others_without_the_post_or_that_are_a_day_old_are_not_the_page_of_a_choice() -> None:
    pages = [(1, NOON - 5.0, [2], []), (0, NOON - 5.0, [1], []), (0, NOON - MAX_AGE_SECONDS - 1, [2, 4], [])]

    assert page_of(Feed(2, POSTS, [(0, 2, LIKE, NOON)], pages=pages)) == (np.inf, [])


def test_posts_that_the_user_engaged_with_within_a_day_of_the_page_or_before_it_are_not_ignored() -> None:
    events = [(0, 0, VIEW, 50.0), (0, 1, VIEW, NOON), (0, 2, LIKE, NOON), (0, 3, VIEW, NOON + 20 * HOUR)]
    late, by_another = (0, 4, VIEW, NOON + DAY + HOUR), (1, 5, LIKE, NOON)
    pages = [(0, NOON - HOUR, [0, 1, 2, 3, 4, 5], [])]

    assert page_of(Feed(2, POSTS, [*events, late], pages=pages)) == (NOON - HOUR, [4, 5])
    assert page_of(Feed(2, POSTS, [by_another, *events], pages=pages))[1] == [4, 5]


def test_where_the_client_reports_what_was_seen_only_seen_posts_are_ignored() -> None:
    pages = [(0, NOON - HOUR, [1, 2, 3, 4], [2, 4])]

    assert page_of(Feed(1, POSTS, [(0, 2, LIKE, NOON)], pages=pages)) == (NOON - HOUR, [4])


@given(feeds(most_pages=8))
def test_the_page_of_a_choice_contains_it_and_no_post_of_it_that_counts_as_ignored_was_engaged_with(
    feed: Feed,
) -> None:
    replay = replay_of(feed)

    for event in replay.requests.tolist():
        request = replay.request_at(event)
        ignored = replay.pages.ignored(request.page)
        assert request.context.shown_before == replay.pages.shown_at(request.page)
        if request.page < 0:
            assert not len(ignored)
            continue
        pages, user = replay.timeline.pages, request.context.user
        assert pages.user[request.page] == user
        assert request.target in pages.post[pages.places(request.page)]
        assert pages.time[request.page] < request.time
        known = replay.events.time < replay.pages.complete_at(request.page)
        own = replay.events.post[known & (replay.events.user == user)]
        assert not set(ignored.tolist()) & set(own.tolist())


def test_the_page_of_a_choice_does_not_lower_its_posts_and_earlier_pages_do() -> None:
    events = [(1, post, LIKE, NOON - 2 * HOUR) for post in range(6)]

    def lists(*pages: tuple[int, float, list[int], list[int]]) -> list[int]:
        """The list that `served` makes for the last choice, post 2 of user 0."""
        replay = replay_of(Feed(2, POSTS, [*events, (0, 2, LIKE, NOON)], pages=pages))
        request = replay.request_at(replay.requests[-1])
        found = rank("served", replay.options, request, None)
        assert impressions_of(replay.timeline.state, request.context.user) == [
            (replay.timeline.post_row[post], time, False) for _, time, posts, _ in pages for post in posts
        ]
        return [int(row) for row in replay.timeline.post_order[found.top]]

    unseen = (0, NOON - HOUR, [], [])
    plain = lists(unseen)
    assert lists((0, NOON - HOUR, [2, plain[0]], [])) == plain
    sunk = lists((0, NOON - 2 * HOUR, [plain[0]], []), (0, NOON - HOUR, [2], []))
    assert sunk.index(plain[0]) > 0
