"""Takes the events of users out of memory who have been away for long. Storage has them when the users return."""

from contextlib import nullcontext
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState

DEFAULT_USER_LIVE_DAYS: Final = 365.0
_USERS_LOOKED_AT: Final = 20_000
_USERS_PER_STEP: Final = 100
Rows = NDArray[np.intp]


def idle_users(state: FeedState, idle_seconds: float) -> Rows:
    """Rows of the users with events in memory who did nothing for so long before the last activity of the feed.

    An event or a request is an activity. It reads no clock: in a feed without activity, nobody is idle.
    """
    last = np.full(state.n_users, -np.inf)
    for start in range(0, state.n_users, _USERS_LOOKED_AT):
        users = np.arange(start, min(start + _USERS_LOOKED_AT, state.n_users))
        places, (times,) = state.events_by_user.gather(users, 1, columns=(1,))
        last[users[places]] = times
    has_events = last > -np.inf
    last = np.maximum(last, state.requested[: state.n_users])
    idle: Rows = np.flatnonzero(has_events & (last < last.max(initial=-np.inf) - idle_seconds))
    return idle


def note_idle_users(state: FeedState, events: EventColumns, since: float) -> None:
    """Note that the users without one of `events` since a time in seconds are away, before lists have these.

    `events` (n_events,) in order of time, all of their users.
    """
    users, place = np.unique(events.user, return_inverse=True)
    last = np.empty(len(users))
    last[place] = events.time  # of several events of a user, the last one stays
    state.is_away[users[last < since]] = True


def send_away(state: FeedState, users: Rows, writing: Writing = nullcontext) -> None:
    """Remove the lists of the events of `users`, in short steps. Counters, and the users of posts, stay."""
    for some in slices(users.tolist(), _USERS_PER_STEP):
        with writing():
            for user in some:
                state.events_by_user.clear(user)
                state.earlier_events.clear(user)
            state.is_away[some] = True
