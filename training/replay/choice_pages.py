"""Finds the page on which a user made a choice, and the posts of the page that they ignored."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns, PageColumns
from app.domain.feed.time_units import DAY

MAX_AGE_SECONDS = DAY
"""A choice is attributed to a page that is at most this old, and a page is complete when it is this old."""


class ChoicePages:
    """The pages and events of a feed, with rows of the state and sorted by time, by user."""

    def __init__(self, pages: PageColumns, events: EventColumns) -> None:
        self._pages, self._events = pages, events
        self._pages_of = _RowsByUser(pages.user, pages.time)
        self._events_of = _RowsByUser(events.user, events.time) if len(pages) else None

    def __len__(self) -> int:
        return len(self._pages)

    def find(self, user: int, post: int, time: float) -> int:
        """The newest page with a post that a user was shown before a choice at `time` (seconds); -1 without one."""
        for page in self._pages_of(user, time - MAX_AGE_SECONDS, time)[::-1].tolist():
            if post in self._pages.post[self._pages.places(page)]:
                return int(page)
        return -1

    def shown_at(self, page: int) -> float:
        """The time of a page in seconds; infinity for -1."""
        return np.inf if page < 0 else self._pages.time.item(page)

    def complete_at(self, page: int) -> float:
        """The time in seconds from which on `ignored` is known; -infinity for -1."""
        return -np.inf if page < 0 else self.shown_at(page) + MAX_AGE_SECONDS

    def ignored(self, page: int) -> NDArray[np.int32]:
        """(n,) posts of a page without any event of its user before the page was complete; none for -1.

        If the client reported which posts of the page were on screen, the others are not among them.
        """
        if page < 0 or self._events_of is None:
            return np.empty(0, np.int32)
        places = self._pages.places(page)
        posts, was_seen = self._pages.post[places], self._pages.seen[places]
        events = self._events_of(self._pages.user.item(page), -np.inf, self.complete_at(page))
        is_ignored = ~np.isin(posts, self._events.post[events])
        ignored: NDArray[np.int32] = posts[is_ignored & (was_seen | ~was_seen.any())]
        return ignored


class _RowsByUser:
    """Finds the rows of a user between two times. `users` and `times` (n,) are sorted by time."""

    def __init__(self, users: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        self._rows = np.argsort(users, kind="stable")
        self._users, self._times = users[self._rows], times[self._rows]

    def __call__(self, user: int, start: float, end: float) -> NDArray[np.intp]:
        """The rows with start <= time < end, in order of time."""
        first, last = np.searchsorted(self._users, [user, user + 1]).tolist()
        low, high = np.searchsorted(self._times[first:last], [start, end]).tolist()
        return self._rows[first + low : first + high]
