"""One ranking question: this user, this feed, this moment, and what its pieces have found out together."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import FeedState

T = TypeVar("T")
_RECENT_EVENTS = 256


class RankingContext:
    """What sources, filters and scorers are asked with. Lives for one request."""

    def __init__(self, state: FeedState, user: int, now: float) -> None:
        """`user` is a row of `state`, -1 for a stranger; `now` in seconds since the epoch."""
        self.state = state
        self.user = user
        self.now = now
        self._found: dict[object, Any] = {}

    @cached_property
    def history(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.uint8]]:
        """The user's newest events, oldest first: post rows, times, kinds."""
        if self.user < 0:
            return np.empty(0, np.int32), np.empty(0), np.empty(0, np.uint8)
        posts, times, kinds = self.state.histories.row(self.user, _RECENT_EVENTS)
        return posts, times, kinds

    @cached_property
    def history_length(self) -> int:
        """All events of the user."""
        return 0 if self.user < 0 else int(self.state.histories.lengths(np.array([self.user]))[0])

    def once(self, key: object, compute: Callable[[], T]) -> T:
        """`compute()`, at most once per question: for what several pieces need."""
        if key not in self._found:
            self._found[key] = compute()
        return cast(T, self._found[key])
