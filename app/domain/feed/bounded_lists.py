"""Cuts the lists of events by user and of users by post to their newest entries."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.list_limits import longest
from app.domain.feed.ragged import RaggedArray, ranges_to_indices

Rows = NDArray[np.intp]


def lists_to_cut(lists: RaggedArray, rows: Rows, limit: int) -> Rows:
    """Those of `rows` whose lists are longer than a limit allows (see `longest`): ascending, each once."""
    is_longer = lists.lengths(rows) > longest(limit)
    return np.unique(rows[is_longer]) if is_longer.any() else rows[:0]


def cut_events(events_by_user: RaggedArray, earlier_events: RaggedArray, users: Rows, limit: int) -> None:
    """Cut the lists of `users`, which are longer, to their newest `limit` events.

    The posts and kinds of the others go to `earlier_events`, so that seen posts stay known. Of events at one time, the
    one with the larger number in the log is newer.
    """
    lengths = events_by_user.lengths(users)
    places, columns = events_by_user.gather(users, int(lengths.max()))
    posts, times, kinds, _, seqs = columns
    is_newest = _are_newest(np.lexsort((seqs, times, places)), lengths, limit)
    earlier = (~is_newest).nonzero()[0]
    earlier_events.append(users[places[earlier]], posts[earlier], kinds[earlier])
    _keep(events_by_user, users, is_newest, limit, columns)


def cut_users(users_by_post: RaggedArray, posts: Rows, limit: int) -> None:
    """Cut the lists of `posts`, which are longer, to their newest `limit` entries; of equal times the last ones."""
    lengths = users_by_post.lengths(posts)
    places, columns = users_by_post.gather(posts, int(lengths.max()))
    is_newest = _are_newest(np.lexsort((columns[1], places)), lengths, limit)
    _keep(users_by_post, posts, is_newest, limit, columns)


def _are_newest(order: Rows, lengths: NDArray[np.integer[Any]], limit: int) -> NDArray[np.bool_]:
    """(n,) true for the last `limit` entries of each list; `order` (n,) has one list after the other, oldest first."""
    is_newest = np.zeros(len(order), np.bool_)
    is_newest[order[ranges_to_indices(lengths.cumsum(), np.full(len(lengths), limit))]] = True
    return is_newest


def _keep(
    lists: RaggedArray,
    rows: Rows,
    is_kept: NDArray[np.bool_],
    limit: int,
    columns: tuple[NDArray[np.generic], ...],
) -> None:
    kept = (column[is_kept] for column in columns)
    lists.replace_rows(rows, np.full(len(rows), limit), *kept)
