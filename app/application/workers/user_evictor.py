"""Takes the events of users out of memory who have been away for long."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from app.application.workers.state_updater import StateUpdater
from app.domain.feed.away_users import idle_users, send_away
from app.domain.feed.state import FeedState

log = structlog.get_logger()

_USERS_PER_CHANGE: Final = 1_000  # other changes wait for it
Rows = NDArray[np.intp]


@dataclass(eq=False)
class UserEvictor:
    """Sends users away who did nothing for `idle_seconds`. Requests and other changes go on between its steps.

    `release_memory` is called afterwards.
    """

    updater: StateUpdater
    idle_seconds: float
    release_memory: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Look for idle users. The database must be known, which has their events."""
        updater, feed = self.updater, self.updater.feed
        if feed.caught_up_at is None:
            return
        state, writing = feed.state, partial(feed.lock.writing, "eviction")
        with updater.change_lock:
            idle = idle_users(state, self.idle_seconds)
            before = self._activity(state, idle)
        sent = 0
        for start in range(0, len(idle), _USERS_PER_CHANGE):
            places = slice(start, start + _USERS_PER_CHANGE)
            with updater.change_lock:
                users = idle[places]
                users = users[(self._activity(state, users) == before[:, places]).all(axis=0)]
                send_away(state, users, writing)
            sent += len(users)
        if sent:
            self.release_memory()
            log.info("users.sent_away", users=sent)

    @staticmethod
    def _activity(state: FeedState, users: Rows) -> NDArray[np.float64]:
        """(2, n) what differs after a request or an event."""
        return np.stack([state.requested[users], state.event_counts(users)])
