"""The window of training keeps the newest events and what they need, with the ids that they had."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.feed.dataset import FeedDataset, MembershipColumns
from app.domain.feed.feed_window import DEFAULT_WINDOW_DAYS, within_window
from tests.support.feeds import Feed, Post, feeds

DAY = 86_400.0


def described(feed: FeedDataset, since: float) -> dict[str, object]:
    """The events and pages from a time on, by the ids of users and posts."""
    events, pages = feed.events, feed.pages
    users, posts = feed.users.external_id, feed.posts.external_id
    rows = zip(events.user, events.post, events.kind, events.time, events.seq, strict=True)
    return {
        "events": [(users[user], posts[post], *rest) for user, post, *rest in rows if rest[1] >= since],
        "pages": [
            (
                users[pages.user[page]],
                pages.time[page],
                [posts[row] for row in pages.post[pages.places(page)]],
            )
            for page in range(len(pages))
            if pages.time[page] >= since
        ],
    }


@given(feeds(most_controls=4, most_pages=4), st.floats(0.02, 0.9))
def test_a_window_keeps_the_events_in_it_their_posts_and_the_authors(feed: Feed, days: float):
    whole = feed.dataset()

    part = within_window(whole, days)

    start = whole.events.time[-1] - days * DAY
    kept = set(part.users.external_id), set(part.posts.external_id)
    assert described(part, -np.inf)["events"] == described(whole, start)["events"]
    if part is not whole:
        shown = [
            (user, time, [post for post in posts if post in kept[1]])
            for user, time, posts in described(whole, start)["pages"]
            if user in kept[0]
        ]
        assert described(part, -np.inf)["pages"] == [page for page in shown if page[2]]
        assert kept[1] >= {
            name
            for name, time in zip(whole.posts.external_id, whole.posts.created, strict=True)
            if time >= start
        }
    author_of = dict(zip(whole.posts.external_id, whole.posts.author.tolist(), strict=True))
    for name, author in zip(part.posts.external_id, part.posts.author.tolist(), strict=True):
        before = author_of[name]
        assert (author, before) == (-1, -1) or part.users.external_id[author] == whole.users.external_id[
            before
        ]
    assert {part.users.external_id[row] for row in part.follows.follower} <= kept[0]


@settings(max_examples=10)
@given(feeds(most_pages=4))
def test_a_feed_without_older_events_is_unchanged(feed: Feed):
    whole = feed.dataset()

    assert within_window(whole, DEFAULT_WINDOW_DAYS) is whole


def test_follows_memberships_and_controls_of_other_users_are_omitted():
    feed = Feed(
        users=3,
        posts=[Post(created=0.0, author=1)],
        events=[(2, 0, 0, 1.0), (0, 0, 0, 10 * DAY)],
        follows=[(0, 1, 0.0), (0, 2, 0.0), (2, 1, 0.0)],
        controls=[(0, "mute_tag", "a", 2.0, np.nan), (2, "mute_tag", "a", 3.0, np.nan)],
    ).dataset()
    feed = replace(feed, memberships=MembershipColumns(np.array([1, 2], np.int32), ["a", "b"]))

    part = within_window(feed, 1.0)

    assert part.users.external_id == ["user 0", "user 1"]
    assert list(zip(part.follows.follower, part.follows.followee, strict=True)) == [(0, 1)]
    assert part.memberships.audience_id == ["a"]
    assert [control.created_at.timestamp() for control in part.controls] == [2.0]
