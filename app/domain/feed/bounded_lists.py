"""Keeps the lists of events by user and of users by post in order of time, and cuts them to their newest entries."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.list_limits import longest
from app.domain.feed.ragged import RaggedArray, ranges_to_indices

Rows = NDArray[np.intp]
EVENT_ORDER: Final = (4, 1)
"""The columns by which the events of a user are in order, as `np.lexsort` gets them: the time, then the number."""
ENGAGEMENT_ORDER: Final = (1,)
"""As `EVENT_ORDER`, of the users of a post: the time. Users at one time are in order of arrival."""


def lists_to_cut(lists: RaggedArray, rows: Rows, limit: int) -> Rows:
    """Those of `rows` whose lists are longer than a limit allows (see `longest`): ascending, each once."""
    is_longer = lists.lengths(rows) > longest(limit)
    return np.unique(rows[is_longer]) if is_longer.any() else rows[:0]


def append_in_order(lists: RaggedArray, rows: Rows, *values: NDArray[Any], order_by: tuple[int, ...]) -> None:
    """Append `values[...][i]` to the list of `rows[i]`, and put lists in order that have newer entries.

    The new entries of each list are in the order `order_by`, as all lists are.
    """
    late = _rows_with_newer_entries(lists, rows, values, order_by)
    lists.append(rows, *values)
    if len(late):
        lengths = lists.lengths(late)
        places, columns = lists.gather(late, int(lengths.max()))
        order = np.lexsort([*(columns[column] for column in order_by), places])
        lists.replace_rows(late, lengths, *(column[order] for column in columns))


def _rows_with_newer_entries(
    lists: RaggedArray, rows: Rows, values: Sequence[NDArray[Any]], order_by: tuple[int, ...]
) -> Rows:
    """Those of `rows` whose newest entry is after one of the entries `values[...][i]` of the row, each once."""
    time = order_by[-1]
    is_not_before = lists.newest(rows, time) >= values[time]
    if not is_not_before.any():
        return rows[:0]  # as almost always; the rest would double the time of recording events
    is_after = np.zeros(len(rows), np.bool_)
    for column in order_by:
        newest, new = lists.newest(rows, column), values[column]
        is_after = (newest > new) | ((newest == new) & is_after)
    return np.unique(rows[is_after & (lists.lengths(rows) > 0)])


def cut_events(events_by_user: RaggedArray, earlier_events: RaggedArray, users: Rows, limit: int) -> None:
    """Cut the lists of `users`, which are longer, to their newest `limit` events.

    The posts and kinds of the others go to `earlier_events`, so that seen posts stay known.
    """
    lengths = events_by_user.lengths(users)
    places, (posts, kinds) = events_by_user.gather(users, int(lengths.max()), columns=(0, 2))
    is_earlier = np.ones(len(places), np.bool_)
    is_earlier[ranges_to_indices(lengths.cumsum(), np.full(len(users), limit))] = False
    earlier_events.append(users[places[is_earlier]], posts[is_earlier], kinds[is_earlier])
    cut(events_by_user, users, limit)


def cut(lists: RaggedArray, rows: Rows, limit: int) -> None:
    """Cut the lists of `rows`, which are longer, to their newest `limit` entries."""
    _, columns = lists.gather(rows, limit)
    lists.replace_rows(rows, np.full(len(rows), limit), *columns)
