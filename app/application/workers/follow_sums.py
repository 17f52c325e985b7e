"""Checksums of the follows in a state."""

import numpy as np

from app.domain.feed.row_checksums import Checksums, follow_checksums
from app.domain.feed.state import FeedState


def follow_sums(state: FeedState) -> Checksums:
    """The sums of `follow_checksums` by follower. Follows of and by removed users, who have no key, are skipped."""
    rows, keys = state.user_rows.present(), state.user_rows.by_row
    is_known = np.zeros(state.n_users, np.bool_)
    is_known[rows] = True
    longest = int(state.follows.lengths(rows).max(initial=0))
    of_follower, (followee,) = state.follows.gather(rows, longest)
    between_known = is_known[followee]
    follower, followee = rows[of_follower[between_known]], followee[between_known]
    sums = np.zeros(state.n_users, np.int64)
    np.add.at(sums, follower, follow_checksums(keys[follower], keys[followee]))
    return Checksums(keys[rows], sums[rows])
