"""Makes the lists of a state from all events of many users or posts at once, so that no list grows or is cut."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.list_limits import longest
from app.domain.feed.state import FeedState

_EVENTS_PER_PART: Final = 500_000


def fill_lists_of_users(state: FeedState, events: EventColumns, counted: NDArray[np.bool_]) -> None:
    """Make the lists of events of some users, who have none, from all their events; of those who are not away.

    events   (n_events,) in order of time
    counted  (n_events,) true for those that count
    """
    in_memory = counted & ~state.is_away[events.user]
    newest, earlier = _newest_and_earlier(events.user, in_memory, state.limits.events_per_user)
    for some in _slices(newest):
        part = events[some]
        columns = part.post, part.time, part.kind, part.received, part.seq
        state.events_by_user.append(part.user.astype(np.intp), *columns)
    for some in _slices(earlier):
        part = events[some]
        state.earlier_events.append(part.user.astype(np.intp), part.post, part.kind)


def fill_lists_of_posts(state: FeedState, events: EventColumns, counted: NDArray[np.bool_]) -> None:
    """The same for the lists of users of some posts, from all events of these posts."""
    newest, _ = _newest_and_earlier(events.post, counted, state.limits.users_per_post)
    for some in _slices(newest):
        part = events[some]
        state.users_by_post.append(part.post.astype(np.intp), part.user, part.time, part.kind)


def _slices(places: NDArray[np.int32]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(places), _EVENTS_PER_PART):
        yield places[start : start + _EVENTS_PER_PART].astype(np.intp)


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
