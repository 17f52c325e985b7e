"""Draws the pages that showed the users of a synthetic feed the posts they visited, and other posts around these.

The posts of a page exist at its time, and its user may see them. A user has no event with the other posts: simulated
users decide about a post when they see it first.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns, FeedDataset, PageColumns
from app.domain.feed.post_words import PostWords
from app.domain.feed.ragged import cumulative_count
from app.domain.words import tag_codes, word_codes

PAGE_POSTS: Final = 10
"""The most posts of a page."""
MAX_PAGES: Final = 100_000
"""The most pages of a feed, the newest."""
_SESSION_US: Final = 1_800_000_000  # visits of a user in the same half hour come from one page
_MAX_VISITS: Final = 6  # of a page
_MAX_DELAY_MS: Final = 120_000  # between a page and its first visit
_DRAWN: Final = 24  # other posts that are drawn for a page; the page gets those of them that suit
_MEAN_NEWER: Final = 40  # number of newer posts, of a post that is drawn by age
_RECENT_EVENTS: Final = 500  # events before a page, of which one is drawn for its post
_MAX_UNVISITED_SEEN: Final = 3  # posts on screen below the last one that was visited

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """(n,) posts of pages. `key` gives the order of the posts of a page."""

    page: Rows
    post: Rows
    key: NDArray[np.float64]
    visited: NDArray[np.bool_]


def make_pages(rng: np.random.Generator, feed: FeedDataset) -> PageColumns:
    """The pages of a generated feed by time; the same state of `rng` gives the same ones."""
    visits = _visits(feed)
    if not len(visits):
        return PageColumns()
    page_of_visit, user, time_us = _sessions(rng, feed, visits)
    kept = page_of_visit >= 0
    places = _fill(rng, feed, user, time_us, page_of_visit[kept], visits.post[kept].astype(np.int64))
    order = np.lexsort((places.key, places.page))
    page, visited = places.page[order], places.visited[order]
    position = cumulative_count(page)
    last_visited = np.zeros(len(user), np.int64)
    np.maximum.at(last_visited, page[visited], position[visited])
    last_seen = last_visited + rng.integers(0, _MAX_UNVISITED_SEEN + 1, len(user))
    return PageColumns(
        user=user.astype(np.int32),
        time_us=time_us,
        length=np.bincount(page, minlength=len(user)),
        post=places.post[order].astype(np.int32),
        seen=position <= last_seen[page],
        request_id=[f"page_{number}" for number in range(1, len(user) + 1)],
    )


def _visits(feed: FeedDataset) -> EventColumns:
    """The first event of each user, post and time, by time, without events with own posts."""
    events = feed.events
    rows = np.flatnonzero(feed.posts.author[events.post] != events.user)
    columns = np.stack([events.user, events.post, events.time_us])[:, rows]
    return events[rows[np.sort(np.unique(columns, axis=1, return_index=True)[1])]]


def _sessions(rng: np.random.Generator, feed: FeedDataset, visits: EventColumns) -> tuple[Rows, Rows, Rows]:
    """The page of each visit (-1 before the newest MAX_PAGES), and the user and time of each page, by time."""
    bucket = np.stack([visits.user, visits.time_us // _SESSION_US])
    _, first, session = np.unique(bucket, axis=1, return_index=True, return_inverse=True)
    created = feed.posts.created_us[visits.post]
    # The page cannot hold a post that is newer than its first visit: such a visit has a page of its own.
    is_late = created >= visits.time_us[first[session]]
    part = np.where(is_late, 1 + np.arange(len(visits)), -(cumulative_count(session) // _MAX_VISITS))
    _, first, page = np.unique(np.stack([session, part]), axis=1, return_index=True, return_inverse=True)
    user, earliest = visits.user[first].astype(np.int64), visits.time_us[first]
    assert feed.users.created_us is not None
    after = feed.users.created_us[user]
    np.maximum.at(after, page, created + 1_000)
    time_us = np.maximum(earliest - 1_000 * rng.integers(1_000, _MAX_DELAY_MS, len(first)), after)
    order = np.argsort(time_us, kind="stable")[-MAX_PAGES:]
    number = np.full(len(first), -1, np.int64)
    number[order] = np.arange(len(order))
    return number[page], user[order], time_us[order]


def _fill(
    rng: np.random.Generator, feed: FeedDataset, user: Rows, time_us: Rows, page: Rows, post: Rows
) -> _Places:
    """The visited posts of pages, mostly in the upper places, and other posts up to PAGE_POSTS for each page.

    user, time_us  (n_pages,)
    page, post     (n_visits,)
    """
    n_drawn = len(user) * _DRAWN
    other_page = np.arange(len(user)).repeat(_DRAWN)
    newer = np.floor(rng.exponential(_MEAN_NEWER, n_drawn)).astype(np.int64)
    fresh = np.searchsorted(feed.posts.created_us, time_us)[other_page] - 1 - newer
    event = np.searchsorted(feed.events.time_us, time_us)[other_page] - 1
    event -= rng.integers(0, _RECENT_EVENTS, n_drawn)
    by_age = rng.random(n_drawn) < 0.5
    other = np.where(by_age, fresh, feed.events.post[np.maximum(event, 0)])
    suits = np.where(by_age, fresh, event) >= 0
    suits[suits] = _may_fill(feed, user[other_page[suits]], other[suits])
    other_page, other = np.unique(np.stack([other_page, other])[:, suits], axis=1)
    key = rng.random(len(other))
    order = np.argsort(key)
    order = order[cumulative_count(other_page[order]) < (PAGE_POSTS - np.bincount(page))[other_page[order]]]
    return _Places(
        np.concatenate([page, other_page[order]]),
        np.concatenate([post, other[order]]),
        np.concatenate([0.7 * rng.random(len(page)) ** 2, key[order]]),
        np.arange(len(page) + len(order)) < len(page),
    )


def _may_fill(feed: FeedDataset, user: Rows, post: Rows) -> NDArray[np.bool_]:
    """(n,) whether a post can be on a page of a user without a visit: single public posts that the user may see."""
    posts, events, n_posts, n_users = feed.posts, feed.events, len(feed.posts), len(feed.users)
    author = posts.author.astype(np.int64)
    had_event = np.isin(user * n_posts + post, events.user.astype(np.int64) * n_posts + events.post)
    suits = _open_to_all(feed)[post] & (author[post] != user) & ~had_event
    suits &= _reads(feed, user, post)
    hidden, muted = _hidden_pairs(feed)
    suits &= ~np.isin(user * n_posts + post, hidden) & ~np.isin(user * n_users + author[post], muted)
    may_fill: NDArray[np.bool_] = suits & ~_has_muted_words(feed, user, post)
    return may_fill


def _open_to_all(feed: FeedDataset) -> NDArray[np.bool_]:
    """(n_posts,) true for public posts of discoverable authors that are not sensitive, no reply and no repost."""
    posts, discoverable = feed.posts, feed.users.discoverable
    assert posts.sensitive is not None
    assert posts.root_id is not None
    assert posts.repost_of is not None
    assert discoverable is not None
    links = zip(posts.root_id, posts.repost_of, strict=True)
    single = np.array([root is None and original is None for root, original in links], np.bool_)
    is_public = np.array(posts.visibility) == "public"
    open_to_all: NDArray[np.bool_] = is_public & ~posts.sensitive & single & discoverable[posts.author]
    return open_to_all


def _reads(feed: FeedDataset, user: Rows, post: Rows) -> NDArray[np.bool_]:
    """(n,) whether the user reads the declared language of the post."""
    assert feed.posts.language is not None
    assert feed.users.languages is not None
    names = sorted({name for name in feed.posts.language if name is not None})
    reads = np.array(
        [[not of_user or name in of_user for name in (*names, None)] for of_user in feed.users.languages]
    )
    reads[:, -1] = True  # undeclared
    language = [len(names) if name is None else names.index(name) for name in feed.posts.language]
    found: NDArray[np.bool_] = reads[user, np.array(language)[post]]
    return found


def _hidden_pairs(feed: FeedDataset) -> tuple[Rows, Rows]:
    """user * n_posts + post of hidden posts, and user * n_users + author of muted and blocked authors, both ways."""
    user_row = {key: row for row, key in enumerate(feed.users.key.tolist())}
    post_row = {key: row for row, key in enumerate(feed.posts.key.tolist())}
    hidden, muted = [], []
    for control in feed.controls:
        user = user_row[control.user_id.bytes]
        if control.post_id is not None:
            hidden.append(user * len(feed.posts) + post_row[control.post_id.bytes])
        if control.author_id is not None:
            author = user_row[control.author_id.bytes]
            muted += [user * len(feed.users) + author, author * len(feed.users) + user]
    return np.array(hidden, np.int64), np.array(muted, np.int64)


def _has_muted_words(feed: FeedDataset, user: Rows, post: Rows) -> NDArray[np.bool_]:
    """(n,) whether the post has a tag or words that the user mutes at any time. `user` need not be sorted."""
    result = np.zeros(len(user), np.bool_)
    muting = [control for control in feed.controls if control.tag or control.word]
    if not muting:
        return result
    user_row = {key: row for row, key in enumerate(feed.users.key.tolist())}
    of_user = np.argsort(user, kind="stable")
    sorted_user = user[of_user]
    words = PostWords()
    words.append(np.arange(len(feed.posts)), feed.posts.text, feed.posts.tags)
    for control in muting:
        row = user_row[control.user_id.bytes]
        those = of_user[slice(*np.searchsorted(sorted_user, [row, row + 1]))]
        if control.tag is not None:
            result[those] |= words.with_any_tag(post[those], tag_codes((control.tag,)))
        if control.word is not None:
            result[those] |= words.with_any_phrase(post[those], [word_codes(control.word)])
    return result
