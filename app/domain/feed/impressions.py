"""The posts that were shown to each user, in the feed state: the newest of them, with what became of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, Concatenated, array_of, check, check_range

MAX_PER_USER = 500
"""Impressions of one user that are kept, the newest."""


class UserImpressions(NamedTuple):
    """Impressions of one user, in order of arrival.

    posts  (n,) post rows
    times  (n,) times of their pages in seconds
    seen   (n,) true if the client reported that the post was on screen
    """

    posts: NDArray[np.int32]
    times: NDArray[np.float64]
    seen: NDArray[np.bool_]


_NONE = UserImpressions(np.empty(0, np.int32), np.empty(0), np.empty(0, np.bool_))


class FeedImpressions:
    """The newest impressions by user row. A user's arrays have no spare capacity, so recording copies them: 6.5 kB."""

    def __init__(self) -> None:
        self._by_user: dict[int, UserImpressions] = {}

    def of(self, user: int) -> UserImpressions:
        """The impressions of a user row (-1: unknown user)."""
        return self._by_user.get(user, _NONE)

    def record(self, user: int, posts: NDArray[np.integer[Any]], time: float, *, seen: bool = False) -> None:
        """Add posts of the page that a user got at `time`. A post of this page that is known can only become seen."""
        known = self.of(user)
        of_page = (known.times == time).nonzero()[0]
        # the log repeats each page of this process: `isin` below takes ten times as long
        if not seen and np.array_equal(known.posts[of_page], posts):
            return
        if len(of_page):
            if seen:
                known.seen[of_page[np.isin(known.posts[of_page], posts)]] = True
            posts = posts[~np.isin(posts, known.posts[of_page])]
        if not len(posts):
            return
        new = UserImpressions(posts.astype(np.int32), np.full(len(posts), time), np.full(len(posts), seen))
        self._by_user[user] = UserImpressions(
            np.concatenate([known.posts, new.posts])[-MAX_PER_USER:],
            np.concatenate([known.times, new.times])[-MAX_PER_USER:],
            np.concatenate([known.seen, new.seen])[-MAX_PER_USER:],
        )

    def update(self, others: "FeedImpressions") -> None:
        """Take over the impressions of all users that `others` knows. It copies no array."""
        for user in others.users():
            self._by_user[user] = others.of(user)

    def users(self) -> list[int]:
        """The user rows with impressions."""
        return list(self._by_user)

    def discard(self, user: int, posts: NDArray[np.intp]) -> None:
        """Remove the impressions of `posts` (n,), which ascend, from those of a user row."""
        known = self.of(user)
        kept = posts.take(np.searchsorted(posts, known.posts), mode="clip") != known.posts
        if not kept.all():
            self._by_user[user] = UserImpressions(known.posts[kept], known.times[kept], known.seen[kept])

    def remove(self, user: int) -> None:
        """Remove the impressions of a user row."""
        self._by_user.pop(user, None)

    def only(self, users: NDArray[np.intp]) -> "FeedImpressions":
        """Another one with the impressions of some user rows. It copies no array."""
        some = FeedImpressions()
        some._by_user = {user: self._by_user[user] for user in users.tolist() if user in self._by_user}
        return some

    def copy(self) -> "FeedImpressions":
        """Another one with the same impressions, which later pages do not change. It copies no array."""
        copied = FeedImpressions()
        copied._by_user = self._by_user.copy()
        return copied

    def array_tree(self) -> ArrayTree:
        """The user rows, the number of impressions of each, and the columns of all (see `from_tree`)."""
        of_users = self._by_user.values()
        length = np.array([len(one.posts) for one in of_users], np.int64)
        columns = {
            name: Concatenated([getattr(one, name) for one in of_users], empty.dtype)
            for name, empty in _NONE._asdict().items()
        }
        return {"user": np.array(list(self._by_user), np.int64), "length": length, **columns}

    @classmethod
    def from_tree(cls, tree: ArrayTree, users: int, posts: int) -> "FeedImpressions":
        """The inverse of `array_tree`, for so many user rows and post rows. Raises ValueError."""
        rows, length = array_of(tree, "user", np.int64), array_of(tree, "length", np.int64)
        columns = [array_of(tree, name, empty.dtype) for name, empty in _NONE._asdict().items()]
        check(
            len(rows) == len(length)
            and bool((length >= 0).all())
            and all(len(column) == length.sum() for column in columns),
            "the impressions do not belong to the users",
        )
        check_range(rows, 0, users, "users with impressions")
        check_range(columns[0], 0, posts, "posts with impressions")
        impressions = cls()
        end = length.cumsum()
        for user, start, stop in zip(rows.tolist(), (end - length).tolist(), end.tolist(), strict=True):
            # copies, because a part of the whole array would keep all of it in memory
            impressions._by_user[user] = UserImpressions(*(column[start:stop].copy() for column in columns))
        return impressions
