"""The part of a feed that training reads: the newest events, and the users and posts that they need."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import (
    EventColumns,
    FeedDataset,
    FollowColumns,
    MembershipColumns,
    PageColumns,
    PostColumns,
    UserColumns,
)
from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import DAY

DEFAULT_WINDOW_DAYS: Final = round(12 * max(HALF_LIVES) / DAY)
"""An older event has less than 0.5 ** 12 of its weight, in the counters with the longest half-life too."""
Columns = TypeVar("Columns", UserColumns, PostColumns)


def window_start_us(newest_us: int, window_days: float) -> int:
    """The time of the oldest event of a window that ends at the newest one; both in microseconds."""
    return newest_us - round(window_days * DAY * 1e6)


@dataclass(frozen=True, slots=True, eq=False)
class KeptRows:
    """Which users (n_users,) and posts (n_posts,) of a feed belong to a window."""

    users: NDArray[np.bool_]
    posts: NDArray[np.bool_]

    @classmethod
    def all(cls, n_users: int, n_posts: int) -> "KeptRows":
        """All users and posts, of a feed without older events."""
        return cls(np.ones(n_users, np.bool_), np.ones(n_posts, np.bool_))

    @classmethod
    def of_window(
        cls,
        start_us: int,
        events: EventColumns,
        author: NDArray[np.int32],
        created_us: NDArray[np.int64],
        n_users: int,
    ) -> "KeptRows":
        """The posts that are as new as the window or have an event in it, their authors, and the users of the events.

        events      those in the window, which starts at `start_us` (microseconds)
        author      (n_posts,) user rows, -1 unknown
        created_us  (n_posts,) microseconds
        """
        posts = created_us >= start_us
        posts[events.post] = True
        users = np.zeros(n_users, np.bool_)
        users[events.user] = True
        authors = author[posts]
        users[authors[authors >= 0]] = True
        return cls(users, posts)

    def of_events(self, events: EventColumns) -> EventColumns:
        """Events with rows among the kept users and posts."""
        return replace(events, user=new_rows(self.users)[events.user], post=new_rows(self.posts)[events.post])


def new_rows(kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(n,) the row of each entry among the kept ones, -1 for the others."""
    return np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)


def within_window(dataset: FeedDataset, window_days: float) -> FeedDataset:
    """The events of the newest `window_days`, and the users and posts that they need (`KeptRows`).

    Follows need both of their users, and pages their user and a post. The dataset itself if no event is older.
    """
    events = dataset.events
    if not len(events):
        return dataset
    start_us = window_start_us(events.time_us[-1].item(), window_days)
    first = int(np.searchsorted(events.time_us, start_us))
    if not first:
        return dataset
    events, posts = events[first:], dataset.posts
    kept = KeptRows.of_window(start_us, events, posts.author, posts.created_us, len(dataset.users))
    user_row, post_row = new_rows(kept.users), new_rows(kept.posts)
    kept_posts = _where(posts, kept.posts)
    author = np.where(kept_posts.author >= 0, user_row[kept_posts.author], np.int32(-1))
    user_keys = set(dataset.users.key[kept.users].tolist())
    return FeedDataset(
        _where(dataset.users, kept.users),
        replace(kept_posts, author=author),
        _kept_follows(dataset.follows, user_row),
        kept.of_events(events),
        [control for control in dataset.controls if control.user_id.bytes in user_keys],
        _kept_memberships(dataset.memberships, user_row),
        _kept_pages(dataset.pages, start_us, user_row, post_row),
    )


def _where(columns: Columns, kept: NDArray[np.bool_]) -> Columns:
    values = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return type(columns)(**{name: _kept_values(value, kept) for name, value in values.items()})


def _kept_values(values: NDArray[Any] | Sequence[Any] | None, kept: NDArray[np.bool_]) -> Any:
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[kept]
    return list(compress(values, kept.tolist()))


def _kept_follows(follows: FollowColumns, user_row: NDArray[np.int32]) -> FollowColumns:
    follower, followee = user_row[follows.follower], user_row[follows.followee]
    kept = (follower >= 0) & (followee >= 0)
    return FollowColumns(follower[kept], followee[kept], follows.since_us[kept])


def _kept_memberships(memberships: MembershipColumns, user_row: NDArray[np.int32]) -> MembershipColumns:
    user = user_row[memberships.user]
    return MembershipColumns(user[user >= 0], _kept_values(memberships.audience_id, user >= 0))


def _kept_pages(
    pages: PageColumns, start_us: int, user_row: NDArray[np.int32], post_row: NDArray[np.int32]
) -> PageColumns:
    user, post = user_row[pages.user], post_row[pages.post]
    page_of = np.repeat(np.arange(len(pages)), pages.length)
    kept = (user >= 0) & (pages.time_us >= start_us)
    places = kept[page_of] & (post >= 0)
    length = np.bincount(page_of[places], minlength=len(pages))
    kept &= length > 0
    return PageColumns(
        user[kept],
        pages.time_us[kept],
        length[kept],
        post[places],
        pages.seen[places],
        _kept_values(pages.request_id, kept),
    )
