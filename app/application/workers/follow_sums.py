"""Checksums of the follows in a state."""

from typing import Final

import numpy as np

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.row_checksums import Checksums, follow_checksums
from app.domain.feed.state import FeedState

_USERS_PER_STEP: Final = 100_000


def follow_sums(state: FeedState) -> Checksums:
    """The sums of `follow_checksums` by follower. Follows of and by removed users, who have no key, are skipped.

    Users who follow nobody are absent.
    """
    keys, sums = [np.empty(0, KEY_DTYPE)], [np.empty(0, np.int64)]
    for first in range(0, state.n_users, _USERS_PER_STEP):
        of_some = _sums_of(state, first, min(first + _USERS_PER_STEP, state.n_users))
        keys.append(of_some.keys)
        sums.append(of_some.values)
    return Checksums(np.concatenate(keys), np.concatenate(sums))


def _sums_of(state: FeedState, first: int, end: int) -> Checksums:
    """The sums of the followers in the rows `first` to `end`."""
    rows, keys = np.arange(first, end), state.user_rows.by_row
    lengths = state.follows.lengths(rows)
    rows = rows[lengths > 0]
    of_follower, (followee,) = state.follows.gather(rows, int(lengths.max()))
    follower = rows[of_follower]
    exists = [state.user_rows.rows(keys[users]) == users for users in (follower, followee)]
    known = np.flatnonzero(exists[0] & exists[1])
    sums = np.zeros(len(rows), np.int64)
    np.add.at(sums, of_follower[known], follow_checksums(keys[follower[known]], keys[followee[known]]))
    return Checksums(keys[rows], sums)
