"""Applies follows, and their ends, to a state."""

from collections.abc import Iterable, Iterator
from uuid import UUID

import numpy as np

from app.application.workers.latest_changes import LatestChanges
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.follow_repository import FollowChange

_PAIRS_PER_STEP = 50
Pair = tuple[UUID, UUID]


class FollowUpdates:
    """Applies changes of this process at once, and those of the log, which may have been read before them."""

    def __init__(self) -> None:
        self._latest = LatestChanges()

    def apply_own(self, state: FeedState, change: FollowChange, writing: Writing) -> None:
        """Apply a change that this process committed. Both users exist, even if no trigger captured them."""
        pair = change.follower_id, change.followee_id
        if self._latest.accepts(pair, change.seq):
            state.add_users((user.bytes for user in pair), writing)
            _set_follows(state, [pair], writing, follows=change.follows)

    def number_of(self, pair: Pair) -> int:
        """The number of the latest change of a pair that is known, else 0."""
        return self._latest.number_of(pair)

    def apply(self, state: FeedState, changes: FeedChanges, writing: Writing) -> None:
        """Apply changes of the log, except for pairs that this process changed after the log was read."""
        stale = {pair for pair, seq in changes.follow_seqs.items() if not self._latest.accepts(pair, seq)}
        for pairs, follows in ((changes.removed_follows, False), (changes.follows, True)):
            _set_follows(state, (pair for pair in pairs if pair not in stale), writing, follows=follows)


def _set_follows(state: FeedState, pairs: Iterable[Pair], writing: Writing, *, follows: bool) -> None:
    for step in slices(list(_known_pairs(state, pairs)), _PAIRS_PER_STEP):
        if follows:
            followers, followees = np.array(step, np.intp).T
            state.follow(followers, followees, writing)
        else:
            with writing():
                for follower, followee in step:
                    state.unfollow(follower, followee)


def _known_pairs(state: FeedState, pairs: Iterable[Pair]) -> Iterator[tuple[int, int]]:
    """User rows of the pairs of which both users are in the state."""
    for first, second in pairs:
        rows = state.user_rows.get(first.bytes), state.user_rows.get(second.bytes)
        if rows[0] is not None and rows[1] is not None:
            yield rows[0], rows[1]
