"""Applies follows, and their ends, to a state."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.workers.latest_changes import LatestChanges
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.follow_repository import FollowChange

Pair = tuple[UUID, UUID]


class FollowUpdates:
    """Applies changes of this process at once, and those of the log, which may have been read before them."""

    def __init__(self) -> None:
        self._latest = LatestChanges()

    def apply_own(self, state: FeedState, change: FollowChange) -> None:
        """Apply a change that this process committed. Both users exist, even if no trigger captured them."""
        pair = change.follower_id, change.followee_id
        if self._latest.accepts(pair, change.seq):
            state.add_users([user.bytes for user in pair])
            _set_follows(state, [pair], follows=change.follows)

    def apply(self, state: FeedState, changes: FeedChanges) -> None:
        """Apply changes of the log, except for pairs that this process changed after the log was read."""
        stale = {pair for pair, seq in changes.follow_seqs.items() if not self._latest.accepts(pair, seq)}
        for pairs, follows in ((changes.removed_follows, False), (changes.follows, True)):
            _set_follows(state, (pair for pair in pairs if pair not in stale), follows=follows)


def _set_follows(state: FeedState, pairs: Iterable[Pair], *, follows: bool) -> None:
    for follower, followee in _known_pairs(state, pairs):
        if follows:
            state.follow(np.array([follower]), np.array([followee]))
        else:
            state.unfollow(follower, followee)


def _known_pairs(state: FeedState, pairs: Iterable[Pair]) -> Iterator[tuple[int, int]]:
    """User rows of the pairs of which both users are in the state."""
    for first, second in pairs:
        rows = state.user_rows.get(first.bytes), state.user_rows.get(second.bytes)
        if rows[0] is not None and rows[1] is not None:
            yield rows[0], rows[1]


def follow_difference(
    user_rows: Mapping[bytes, int],
    edges: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]],
    followers: NDArray[np.void],
    followees: NDArray[np.void],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compare the edges of a state with those of the tables; return the edges to add and those to remove.

    Both are (n, 2) user rows of follower and followee.

    user_rows             rows of the state's users by UUID bytes
    edges                 (n,) user rows of followers and of followees in the state
    followers, followees  (m,) UUID bytes (V16) in the tables; edges of unknown users are ignored
    """
    index = UuidIndex(np.frombuffer(b"".join(user_rows), KEY_DTYPE))
    rows = np.fromiter(user_rows.values(), np.int64, len(user_rows))
    a, b = index.rows(followers), index.rows(followees)
    known = (a >= 0) & (b >= 0)
    # an edge as one number, so that sets of edges are sorted arrays
    n_rows = 1 + int(max(rows.max(initial=0), *(column.max(initial=0) for column in edges)))
    current = edges[0] * n_rows + edges[1]
    wanted = np.unique(rows[a[known]] * n_rows + rows[b[known]])
    added = np.setdiff1d(wanted, current, assume_unique=True)
    removed = np.setdiff1d(current, wanted, assume_unique=True)
    return np.column_stack(np.divmod(added, n_rows)), np.column_stack(np.divmod(removed, n_rows))
