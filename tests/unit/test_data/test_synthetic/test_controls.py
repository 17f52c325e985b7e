"""The controls of a generated feed."""

import numpy as np
import pytest

from app.domain.entities.control import CONTROL_ACTIONS
from app.domain.feed.dataset import FeedDataset
from app.domain.words import split_words
from tests.support.feeds import generated


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return generated(users=300, posts=1500, interactions=20_000)


def test_users_hide_posts_and_mute_and_block_authors(feed: FeedDataset) -> None:
    actions = {control.action for control in feed.controls}

    assert actions == set(CONTROL_ACTIONS)
    assert any(control.until is not None for control in feed.controls)


def test_a_control_follows_an_event_with_its_target_and_no_such_event_follows_it(feed: FeedDataset) -> None:
    user_of = {key: row for row, key in enumerate(feed.users.key.tolist())}
    post_of = {key: row for row, key in enumerate(feed.posts.key.tolist())}
    author = feed.posts.author[feed.events.post]

    for control in feed.controls:
        assert control.created_at is not None
        if control.post_id is not None:
            is_target = feed.events.post == post_of[control.post_id.bytes]
        elif control.author_id is not None:
            is_target = author == user_of[control.author_id.bytes]
        else:
            posts = zip(feed.posts.text, feed.posts.tags, strict=True)
            has_target = [control.tag in tags or control.word in split_words(text) for text, tags in posts]
            is_target = np.array(has_target)[feed.events.post]
        times = feed.events.time[is_target & (feed.events.user == user_of[control.user_id.bytes])]
        assert len(times)
        assert times.max() <= control.created_at.timestamp() <= feed.events.time.max()


def pairs(feed: FeedDataset, user: np.ndarray, other: np.ndarray) -> set[tuple[bytes, bytes]]:
    keys = feed.users.key
    return set(zip(keys[user].tolist(), keys[other].tolist(), strict=True))


def test_blocked_authors_have_no_event_with_posts_of_the_user(feed: FeedDataset) -> None:
    blocked = {
        (c.author_id.bytes, c.user_id.bytes)
        for c in feed.controls
        if c.action == "block_author" and c.author_id
    }

    assert blocked
    assert blocked.isdisjoint(pairs(feed, feed.events.user, feed.posts.author[feed.events.post]))


def test_nobody_mutes_or_blocks_a_followed_author(feed: FeedDataset) -> None:
    controlled = {(c.user_id.bytes, c.author_id.bytes) for c in feed.controls if c.author_id}

    assert controlled.isdisjoint(pairs(feed, feed.follows.follower, feed.follows.followee))
