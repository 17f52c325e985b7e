"""The pages of a generated feed fit its events, and hold only posts that their users may see."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.row_set import RowSet
from app.domain.feed.visibility import Viewer
from app.domain.words import split_words
from data.generate_fake_data import DEMO
from data.synthetic.feed import make_feed, make_feed_with_pages
from data.synthetic.pages import PAGE_POSTS, make_pages
from tests.support.feeds import whole_state


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return make_feed_with_pages(DEMO)


def page_of_place(feed: FeedDataset) -> np.ndarray:
    return np.arange(len(feed.pages)).repeat(feed.pages.length)


def test_each_visit_comes_from_one_page_that_showed_the_post_on_screen_just_before(feed: FeedDataset) -> None:
    pages, events = feed.pages, feed.events
    page = page_of_place(feed)
    shown = {
        (user, post): (time, seen)
        for user, post, time, seen in zip(
            pages.user[page].tolist(),
            pages.post.tolist(),
            pages.time[page].tolist(),
            pages.seen.tolist(),
            strict=True,
        )
    }
    by_others = feed.posts.author[events.post] != events.user

    visits = events[np.flatnonzero(by_others)]
    found = [shown[pair] for pair in zip(visits.user.tolist(), visits.post.tolist(), strict=True)]
    delay = visits.time - np.array([time for time, _ in found])

    assert all(seen for _, seen in found)
    assert delay.min() >= 0
    assert delay.max() < 1800 + 120
    assert len(pages) < len(np.unique(np.stack([visits.user, visits.time_us]), axis=1).T)


def test_pages_are_in_order_of_time_and_hold_distinct_posts_that_exist(feed: FeedDataset) -> None:
    pages, page = feed.pages, page_of_place(feed)

    assert (np.diff(pages.time_us) >= 0).all()
    assert pages.length.max() == PAGE_POSTS
    assert np.mean(pages.length == PAGE_POSTS) > 0.9
    assert len(np.unique(np.stack([page, pages.post]), axis=1).T) == len(pages.post)
    assert (feed.posts.created_us[pages.post] < pages.time_us[page]).all()
    assert len(set(pages.request_id or [])) == len(pages)


def test_users_have_seen_the_posts_down_to_one_place(feed: FeedDataset) -> None:
    for page in range(0, len(feed.pages), 50):
        seen = feed.pages.seen[feed.pages.places(page)]

        assert seen[0]
        assert not (seen[1:] & ~seen[:-1]).any()
    assert 0.3 < feed.pages.seen.mean() < 0.9


def test_nobody_was_shown_a_post_that_is_own_hidden_or_muted_or_for_others(feed: FeedDataset) -> None:
    pages, page = feed.pages, page_of_place(feed)
    state, timeline = whole_state(replace(feed, controls=[]))
    user, post = timeline.user_row[pages.user[page]], timeline.post_row[pages.post]

    for row in np.unique(user).tolist():
        rows = post[user == row]
        viewer = Viewer(row, RowSet(state.follows.row(row)[0], state.n_users))
        assert state.visibility.visible_to(viewer, rows, state.author[rows]).all()
    assert (feed.posts.author[pages.post] != pages.user[page]).all()


def test_a_post_without_a_visit_has_no_event_of_the_user_and_no_control(feed: FeedDataset) -> None:
    pages, events = feed.pages, feed.events
    n = len(feed.posts)
    shown = pages.user[page_of_place(feed)].astype(np.int64) * n + pages.post
    visited = np.isin(shown, events.user.astype(np.int64) * n + events.post)
    pairs = np.unique(shown[~visited])
    unvisited = {user: pairs[pairs // n == user] % n for user in range(len(feed.users))}
    user_of = {key: row for row, key in enumerate(feed.users.key.tolist())}
    post_of = {key: row for row, key in enumerate(feed.posts.key.tolist())}

    assert visited.sum() < len(pairs)
    for control in feed.controls:
        user = user_of[control.user_id.bytes]
        posts = unvisited[user].tolist()
        if control.post_id:
            assert post_of[control.post_id.bytes] not in posts
        elif control.author_id:
            assert user_of[control.author_id.bytes] not in feed.posts.author[posts]
        elif control.tag:
            assert not any(control.tag in feed.posts.tags[post] for post in posts)
        elif control.word:
            assert not any(control.word in split_words(feed.posts.text[post]) for post in posts)


def test_pages_change_nothing_else_and_a_feed_without_events_has_none(feed: FeedDataset) -> None:
    without = make_feed(DEMO)
    empty = make_feed(replace(DEMO, users=3, posts=2, interactions=0))

    assert not len(without.pages)
    assert (without.events.time_us == feed.events.time_us).all()
    assert without.controls == feed.controls
    assert not len(make_pages(np.random.default_rng(0), empty))


def test_a_feed_with_more_visits_than_pages_has_the_newest_pages(
    feed: FeedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.synthetic.pages.MAX_PAGES", 100)

    fewer = make_feed_with_pages(DEMO).pages

    assert (fewer.time_us == feed.pages.time_us[-100:]).all()
    assert (fewer.user == feed.pages.user[-100:]).all()
