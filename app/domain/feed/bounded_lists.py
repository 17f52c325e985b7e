"""Cuts the lists of events by user and of users by post to their newest entries."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.list_limits import longest
from app.domain.feed.ragged import RaggedArray

Rows = NDArray[np.intp]


def cut_events(events_by_user: RaggedArray, earlier_events: RaggedArray, users: Rows, limit: int) -> None:
    """Cut the lists of `users` that are too long to their newest `limit` events.

    The posts and kinds of the others go to `earlier_events`, so that seen posts stay known. Of events at one time, the
    one with the larger number in the log is newer.
    """
    for user in _too_long(events_by_user, users, limit):
        columns = events_by_user.row(user)
        posts, times, kinds, _, seqs = columns
        newest = np.zeros(len(times), np.bool_)
        newest[np.lexsort((seqs, times))[-limit:]] = True
        earlier = np.flatnonzero(~newest)
        earlier_events.append(np.full(len(earlier), user), posts[earlier], kinds[earlier])
        events_by_user.replace(user, *(column[newest] for column in columns))


def cut_users(users_by_post: RaggedArray, posts: Rows, limit: int) -> None:
    """Cut the lists of `posts` that are too long to their newest `limit` entries; of equal times the last ones."""
    for post in _too_long(users_by_post, posts, limit):
        columns = users_by_post.row(post)
        newest = np.sort(np.argsort(columns[1], kind="stable")[-limit:])
        users_by_post.replace(post, *(column[newest] for column in columns))


def _too_long(lists: RaggedArray, rows: Rows, limit: int) -> list[int]:
    is_too_long = lists.lengths(rows) > longest(limit)
    return sorted(set(rows[is_too_long].tolist())) if is_too_long.any() else []
