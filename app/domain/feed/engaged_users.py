"""Which users engaged with posts, also with posts whose lists contain their newest users only."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import ranges_to_indices
from app.domain.feed.row_set import RowSet
from app.domain.feed.state import FeedState

_USERS_PER_STEP: Final = 20_000
Rows = NDArray[np.intp]


def has_all_users(state: FeedState, posts: Rows) -> NDArray[np.bool_]:
    """(n_posts,) true for the posts whose lists contain all their events that count."""
    complete: NDArray[np.bool_] = state.users_by_post.lengths(posts) >= state.engagements[posts]
    return complete


class EngagedUsers:
    """The users with an event with one of many posts, which are looked up a few at a time.

    Looks at the events of all users if the list of a post is not complete. Later events are not among them.
    """

    def __init__(self, state: FeedState, posts: Rows) -> None:
        self._state = state
        incomplete = posts[~has_all_users(state, posts)]
        of_posts, users = _pairs(state, incomplete)
        order = np.argsort(of_posts, kind="stable")
        self._posts, self._users = of_posts[order], users[order]

    def of(self, posts: Rows) -> Rows:
        """Rows of the users with an event with one of `posts`, ascending."""
        lists = self._state.users_by_post
        _, (listed,) = lists.gather(posts, int(lists.lengths(posts).max(initial=0)), columns=(0,))
        starts, ends = (np.searchsorted(self._posts, posts, side=side) for side in ("left", "right"))
        others = self._users[ranges_to_indices(ends, ends - starts)]
        return np.unique(np.concatenate([listed, others])).astype(np.intp)


def engaged_users(state: FeedState, posts: Rows) -> Rows:
    """Rows of the users with an event with one of `posts`, ascending."""
    return EngagedUsers(state, posts).of(posts)


def _pairs(state: FeedState, posts: Rows) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The posts and users of all events with `posts`, from the events of all users."""
    of_posts, of_users = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    wanted = RowSet(posts, state.n_posts)
    for start in range(0, state.n_users if len(posts) else 0, _USERS_PER_STEP):
        users = np.arange(start, min(start + _USERS_PER_STEP, state.n_users))
        for events in (state.events_by_user, state.earlier_events):
            places, (with_posts,) = events.gather(users, int(events.lengths(users).max()), columns=(0,))
            found = np.flatnonzero(wanted.contains(with_posts))
            of_posts.append(with_posts[found])
            of_users.append(users[places[found]].astype(np.int32))
    return np.concatenate(of_posts), np.concatenate(of_users)
