"""Makes the lists of a state from all its events at once. Lists that grow move, and take three times the memory."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.list_limits import longest
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.state import FeedState

_EVENTS_PER_PART: Final = 500_000
_UNLIMITED: Final = 2**31 - 1
_DTYPES: Final = {
    "user": np.int32,
    "post": np.int32,
    "kind": np.uint8,
    "time": np.float64,
    "received": np.float64,
    "seq": np.int64,
}


def fill_lists(state: FeedState, events: EventColumns, counted: NDArray[np.bool_]) -> None:
    """Add the events that count to the empty lists of a state by user and by post.

    events   (n_events,) in order of time, of users and posts that the state has
    counted  (n_events,) true for those that count
    """
    limit = state.limits.events_per_user
    newest, earlier = _newest_and_earlier(events.user, counted, limit)
    columns = ("post", "time", "kind", "received", "seq")
    state.events_by_user = _lists(events, "user", newest, columns, longest(limit))
    state.earlier_events = _lists(events, "user", earlier, ("post", "kind"))
    limit = state.limits.users_per_post
    newest, _ = _newest_and_earlier(events.post, counted, limit)
    state.users_by_post = _lists(events, "post", newest, ("user", "time", "kind"), longest(limit))
    state.reserve(state.n_users, state.n_posts)


def _lists(
    events: EventColumns,
    by: str,
    places: NDArray[np.int32],
    columns: Sequence[str],
    longest: int = _UNLIMITED,
) -> RaggedArray:
    """The columns of the events at some places, which ascend by the column `by`. It copies a part after the other."""
    rows = getattr(events, by)[places]
    lists = RaggedArray.of_entries(rows, *(_DTYPES[name] for name in columns), longest=longest)
    for start in range(0, len(places), _EVENTS_PER_PART):
        part = events[places[start : start + _EVENTS_PER_PART].astype(np.intp)]
        for index, name in enumerate(columns):
            lists.column(index)[start : start + len(part)] = getattr(part, name)
    return lists


def by_row_in_parts(rows: NDArray[np.integer[Any]]) -> Iterator[NDArray[np.intp]]:
    """The places of the entries of `rows`, for some rows after the other; in a part they ascend."""
    order = _by_row(rows)
    ordered = rows[order]
    start = 0
    while start < len(order):
        end = min(start + _EVENTS_PER_PART, len(order))
        end = int(np.searchsorted(ordered, ordered[end - 1], side="right"))
        yield np.sort(order[start:end]).astype(np.intp)
        start = end


def _newest_and_earlier(
    rows: NDArray[np.int32], counted: NDArray[np.bool_], limit: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The places of the counted entries of `rows`, by row: those that lists of `limit` entries have, and the others."""
    order = _by_row(rows)
    order = order[counted[order]]
    ordered = rows[order]
    last = np.flatnonzero(np.diff(ordered, append=-1)).astype(np.int32)
    length = np.diff(last, prepend=-1)
    from_end = np.repeat(last, length) - np.arange(len(order), dtype=np.int32)
    is_newest = (from_end < limit) | np.repeat(length <= longest(limit), length)
    return order[is_newest], order[~is_newest]


def _by_row(rows: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """The places of all entries, ordered by row, then by place."""
    return np.argsort(rows, kind="stable").astype(np.int32)
