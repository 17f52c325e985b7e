"""Small feeds in columns for the tests: by hand, drawn by hypothesis, or made by the generator."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import pytest
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.control import CONTROL_ACTIONS, TARGET_FIELDS, Control, ControlAction
from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    PageColumns,
    PostColumns,
    UserColumns,
    uuid_keys,
)
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid

Columns = TypeVar("Columns", UserColumns, PostColumns)
VIEW, CLICK, LIKE, COMMENT, SHARE = range(len(INTERACTION_TYPES))


@dataclass(frozen=True)
class Post:
    """A post by hand; `author` is a number of a user, -1 unknown."""

    created: float = 0.0
    author: int = -1
    text: str = ""
    tags: tuple[str, ...] = ()
    visible: bool = True


@dataclass(frozen=True)
class Feed:
    """A feed by hand: events as (user, post, kind, time), follows as (follower, followee, since), since NaN undated."""

    users: int
    posts: Sequence[Post]
    events: Sequence[tuple[int, int, int, float]] = ()
    follows: Sequence[tuple[int, int, float]] = field(default=())
    controls: Sequence[tuple[int, ControlAction, int | str, float, float]] = field(default=())
    """As (user, action, number of the post or author or the word or tag, time, end), end NaN for none."""
    pages: Sequence[tuple[int, float, Sequence[int], Sequence[int]]] = field(default=())
    """As (user, time, posts, those of them that were seen)."""

    @property
    def counted_events(self) -> list[tuple[int, int, int, float]]:
        """The events that count by the default rule, where each was received at its own time; oldest first."""
        rule, counted = CountingRule(), []
        received: dict[tuple[int, int, int], list[float]] = {}
        for user, post, kind, time in sorted(self.events, key=lambda event: event[3]):
            earlier = received.setdefault((user, post, kind), [])
            if self.posts[post].author != user and rule.allows(time, earlier):
                earlier.append(time)
                counted.append((user, post, kind, time))
        return counted

    def dataset(self) -> FeedDataset:
        """As columns, events sorted by time, ties as they stand."""
        names = [f"user {i}" for i in range(self.users)]
        titles = [f"post {i}" for i in range(len(self.posts))]
        events = sorted(self.events, key=lambda event: event[3])
        user, post, kind, time = zip(*events, strict=True) if events else ((), (), (), ())
        follower, followee, since = zip(*self.follows, strict=True) if self.follows else ((), (), ())
        return FeedDataset(
            UserColumns(uuid_keys(map(user_uuid, names)), names),
            PostColumns(
                uuid_keys(map(post_uuid, titles)),
                titles,
                np.array([post.author for post in self.posts], np.int32),
                _microseconds([post.created for post in self.posts]),
                np.array([post.visible for post in self.posts], np.bool_),
                np.arange(1, len(self.posts) + 1),
                [post.text for post in self.posts],
                [post.tags for post in self.posts],
            ),
            FollowColumns(np.array(follower, np.int32), np.array(followee, np.int32), _microseconds(since)),
            EventColumns(
                np.array(user, np.int32),
                np.array(post, np.int32),
                np.array(kind, np.uint8),
                _microseconds(time),
                np.arange(1, len(events) + 1),
            ),
            [_control(*control) for control in sorted(self.controls, key=lambda control: control[3])],
            pages=_pages(sorted(self.pages, key=lambda page: page[1])),
        )


def _pages(pages: Sequence[tuple[int, float, Sequence[int], Sequence[int]]]) -> PageColumns:
    return PageColumns(
        np.array([user for user, *_ in pages], np.int32),
        _microseconds([time for _, time, *_ in pages]),
        np.array([len(posts) for *_, posts, _ in pages], np.int64),
        np.array([post for *_, posts, _ in pages for post in posts], np.int32),
        np.array([post in seen for *_, posts, seen in pages for post in posts], np.bool_),
    )


def _control(user: int, action: ControlAction, target: int | str, time: float, end: float) -> Control:
    ids = {"post_id": post_uuid(f"post {target}"), "author_id": user_uuid(f"user {target}")}
    return Control(
        user_uuid(f"user {user}"),
        action,
        **{TARGET_FIELDS[action]: ids.get(TARGET_FIELDS[action], target)},
        created_at=datetime.fromtimestamp(time, UTC),
        until=None if np.isnan(end) else datetime.fromtimestamp(end, UTC),
    )


def _microseconds(seconds: Sequence[float]) -> np.ndarray:
    """Times as datasets hold them; NaN, no time, becomes NO_TIME."""
    return np.array([NO_TIME if np.isnan(one) else round(one * 1e6) for one in seconds], np.int64)


@st.composite
def feeds(
    draw: st.DrawFn,
    least_events: int = 1,
    most_events: int = 60,
    most_controls: int = 0,
    most_pages: int = 0,
) -> Feed:
    """Any small feed: ties in time, posts dated after their first event, own posts, unknown authors, all types.

    With `most_controls`, users hide posts, tags and words, and mute and block each other. With `most_pages`, pages were
    shown to users, also of posts that did not exist yet.
    """
    users, posts = draw(st.integers(1, 7)), draw(st.integers(1, 10))
    moment = st.integers(0, 40).map(lambda step: step * 1800.0)
    author = st.integers(-1, users - 1)
    tags = st.sampled_from([(), ("a",), ("b", "a")])
    made = [
        Post(draw(moment), draw(author), draw(st.sampled_from(["", "red fox", "blue fox"])), draw(tags))
        for _ in range(posts)
    ]
    event = st.tuples(st.integers(0, users - 1), st.integers(0, posts - 1), st.integers(0, 4), moment)
    events = draw(st.lists(event, min_size=least_events, max_size=most_events))
    pair = st.tuples(st.integers(0, users - 1), st.integers(0, users - 1)).filter(lambda p: p[0] != p[1])
    pairs = draw(st.lists(pair, max_size=8, unique=True)) if users > 1 else []
    follows = [(a, b, draw(st.one_of(moment, st.just(np.nan)))) for a, b in pairs]
    targets = {
        "post_id": st.integers(0, posts - 1),
        "author_id": st.integers(0, users - 1),
        "tag": st.sampled_from("ab"),
        "word": st.sampled_from(["red", "blue fox"]),
    }
    controls = []
    for user in draw(st.lists(st.integers(0, users - 1), max_size=most_controls)):
        action = draw(st.sampled_from(CONTROL_ACTIONS))
        target = draw(targets[TARGET_FIELDS[action]])
        if (TARGET_FIELDS[action], target) != ("author_id", user):
            controls.append((user, action, target, draw(moment), draw(st.one_of(moment, st.just(np.nan)))))
    shown = st.lists(st.integers(0, posts - 1), unique=True)
    page = st.tuples(st.integers(0, users - 1), moment, shown, shown)
    pages = draw(st.lists(page, max_size=most_pages, unique_by=lambda one: one[:2]))
    return Feed(users, made, events, follows, controls, pages)


def cut(history: FeedDataset, at: float) -> FeedDataset:
    """The feed as its file would stand had it been written at `at`: nothing of that time or later in it.

    Users stay, as nothing dates them. Posts that were made later go, as do later events, follows and controls.
    """
    posts, events, follows = history.posts, history.events, history.follows
    events = events[np.flatnonzero(events.time < at)]
    first = np.full(len(posts), np.inf)
    np.minimum.at(first, events.post, events.time)
    kept = np.flatnonzero(np.minimum(posts.created, first) < at)
    row = np.full(len(posts), -1, np.int32)
    row[kept] = np.arange(len(kept))
    early = ~(follows.since >= at)
    return FeedDataset(
        history.users,
        _rows(posts, kept),
        FollowColumns(follows.follower[early], follows.followee[early], follows.since_us[early]),
        replace(events, post=row[events.post]),
        [one for one in history.controls if one.created_at is not None and one.created_at.timestamp() < at],
        history.memberships,
        _page_rows(history.pages, np.flatnonzero(history.pages.time < at), row),
    )


def _page_rows(pages: PageColumns, some: np.ndarray, post_row: np.ndarray) -> PageColumns:
    """Some pages, with the posts that have a row of at least 0."""
    parts = [pages.places(page) for page in some.tolist()]
    posts = [post_row[pages.post[part]] for part in parts]
    kept = [rows >= 0 for rows in posts]
    return PageColumns(
        pages.user[some],
        pages.time_us[some],
        np.array([one.sum() for one in kept], np.int64),
        np.concatenate([np.empty(0, np.int32), *(rows[one] for rows, one in zip(posts, kept, strict=True))]),
        np.concatenate(
            [np.empty(0, np.bool_), *(pages.seen[part][one] for part, one in zip(parts, kept, strict=True))]
        ),
    )


def shuffled(history: FeedDataset, seed: int) -> FeedDataset:
    """The same feed with its users and posts in another order."""
    random = np.random.default_rng(seed)
    users, posts = random.permutation(len(history.users)), random.permutation(len(history.posts))
    user_at, post_at = np.argsort(users).astype(np.int32), np.argsort(posts).astype(np.int32)
    old = history.posts
    author = np.where(old.author >= 0, user_at[old.author], -1).astype(np.int32)
    return FeedDataset(
        _rows(history.users, users),
        replace(_rows(old, posts), author=author[posts]),
        FollowColumns(
            user_at[history.follows.follower], user_at[history.follows.followee], history.follows.since_us
        ),
        replace(history.events, user=user_at[history.events.user], post=post_at[history.events.post]),
        history.controls,
        replace(history.memberships, user=user_at[history.memberships.user]),
        replace(history.pages, user=user_at[history.pages.user], post=post_at[history.pages.post]),
    )


def _rows(columns: Columns, rows: np.ndarray) -> Columns:
    """Some rows of users or posts."""
    values = {one.name: getattr(columns, one.name) for one in fields(columns)}
    return type(columns)(
        **{
            name: [value[row] for row in rows]
            if isinstance(value, list)
            else value
            if value is None
            else value[rows]
            for name, value in values.items()
        }
    )


def generated(
    users: int = 80, posts: int = 300, interactions: int = 6000, *, scenario: str = "mixed", seed: int = 3
) -> FeedDataset:
    """A feed of the generator."""
    from data.synthetic.feed import FeedSize, make_feed

    return make_feed(FeedSize(users, posts, interactions, seed, until=1_769_817_600_000, scenario=scenario))


def with_pages(history: FeedDataset, size: int = 10, seed: int = 0) -> FeedDataset:
    """The feed with a page a minute before every third event: the post of the event among random ones."""
    random = np.random.default_rng(seed)
    events = history.events[np.arange(0, len(history.events), 3)]
    posts = random.integers(0, len(history.posts), (len(events), size), dtype=np.int32)
    posts[:, 3] = events.post
    length = np.full(len(events), size)
    pages = PageColumns(
        events.user, events.time_us - 60_000_000, length, posts.ravel(), random.random(posts.size) < 0.1
    )
    return replace(history, pages=pages)


def forum() -> FeedDataset:
    """The real feed of FEED_DATASETS (default: ../shared/datasets); the test is skipped, and says so, without it."""
    from data.feed_files.reader import read_feed

    folder = (
        Path(os.environ.get("FEED_DATASETS", Path(__file__).parents[3] / "shared" / "datasets")) / "forum"
    )
    if not (folder / "interactions.parquet").is_file():
        pytest.skip(f"the real feed is not at {folder} (FEED_DATASETS names the folder above it)")
    return read_feed(folder / "interactions.parquet", folder / "posts.parquet").dataset


def whole_state(history: FeedDataset):
    """A state that knows all of the feed, and the timeline that filled it."""
    timeline = FeedTimeline(history, replay=False)
    return timeline.apply_all(), timeline


def uuid_of(key: np.void) -> UUID:
    """A key of columns as a UUID."""
    return UUID(bytes=key.tobytes())


def impressions_of(state: FeedState, user: int) -> list[tuple[int, float, bool]]:
    """Post rows, times and whether they were seen, of the impressions of a user row."""
    columns = (column.tolist() for column in state.impressions.of(user))
    return list(zip(*columns, strict=True))
