"""Who may see the posts of a generated feed, and which posts belong together."""

from collections import Counter

import numpy as np
import pytest

from app.domain.feed.dataset import FeedDataset
from tests.support.feeds import generated


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return generated(users=300, posts=1500, interactions=20_000)


def test_nobody_has_an_event_with_a_post_that_they_may_not_see(feed: FeedDataset) -> None:
    users, posts, events = feed.users, feed.posts, feed.events
    follows = set(zip(feed.follows.follower.tolist(), feed.follows.followee.tolist(), strict=True))
    members = set(zip(feed.memberships.user.tolist(), feed.memberships.audience_id, strict=True))

    for user, post in zip(events.user.tolist(), events.post.tolist(), strict=True):
        author = int(posts.author[post])
        if user == author:
            continue
        assert posts.visibility[post] != "followers" or (user, author) in follows
        assert posts.visibility[post] != "members" or (user, posts.audience_id[post]) in members
        assert users.discoverable[author] or (user, author) in follows
        assert not posts.sensitive[post] or users.show_sensitive[user]
        assert (
            not (users.languages[user] and posts.language[post])
            or posts.language[post] in users.languages[user]
        )


def test_every_kind_of_audience_and_setting_occurs(feed: FeedDataset) -> None:
    users, posts = feed.users, feed.posts

    assert set(posts.visibility) == {"public", "followers", "members"}
    assert {(), ("en",), ("en", "de"), ("de", "en")} <= set(users.languages)
    assert Counter(posts.language).keys() == {"en", "de", None}
    assert 0 < posts.sensitive.sum() < 0.05 * len(posts)
    assert 0 < users.show_sensitive.sum() < 0.5 * len(users)
    assert not users.personalised.all()
    assert 10 < len(feed.memberships) < 0.5 * len(users)


def test_the_declared_language_of_a_post_is_that_of_its_author(feed: FeedDataset) -> None:
    by_author: dict[int, set[str]] = {}
    for author, language in zip(feed.posts.author.tolist(), feed.posts.language, strict=True):
        if language is not None:
            by_author.setdefault(author, set()).add(language)

    assert all(len(languages) == 1 for languages in by_author.values())


def test_replies_and_reposts_refer_to_earlier_public_posts_of_the_same_topic(feed: FeedDataset) -> None:
    posts = feed.posts
    row_of = {key.hex(): row for row, key in enumerate(posts.key.tolist())}
    counts = Counter()
    for row in range(len(posts)):
        for name in ("reply_to", "root_id", "repost_of"):
            if (target := getattr(posts, name)[row]) is None:
                continue
            counts[name] += 1
            target = row_of[target.hex]
            assert posts.created[target] <= posts.created[row]
            assert posts.tags[target][0] == posts.tags[row][0]
            assert posts.visibility[target] == posts.visibility[row] == "public"
            assert name != "root_id" or (posts.root_id[target] is None and posts.reply_to[target] is None)

    assert counts["reply_to"] == counts["root_id"] > 100
    assert counts["repost_of"] > 20


def test_replies_are_short_and_most_differ(
    feed: FeedDataset,
) -> None:
    replies = [text for text, target in zip(feed.posts.text, feed.posts.reply_to, strict=True) if target]

    assert len(set(replies)) > 0.4 * len(replies)
    assert np.mean([len(text) for text in replies]) < np.mean([len(text) for text in feed.posts.text])
