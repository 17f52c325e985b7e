"""Sums of the checksums of the follows in a state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.row_checksums import N_BLOCKS, blocks_of, follow_checksums

Rows = NDArray[np.integer[Any]]


def follow_sums(user_rows: Mapping[bytes, int], followers: Rows, followees: Rows) -> NDArray[np.int64]:
    """(N_BLOCKS,) sums by block of the follower. `followers` and `followees` (n,) are rows of `user_rows`.

    Follows of and by removed users, who have no key, are skipped.
    """
    keys, checksums = _known_follows(user_rows, followers, followees)
    sums = np.zeros(N_BLOCKS, np.int64)
    np.add.at(sums, blocks_of(keys), checksums)
    return sums


def follows_by_follower(
    user_rows: Mapping[bytes, int], followers: Rows, followees: Rows, blocks: NDArray[np.int64]
) -> dict[bytes, int]:
    """The sum of each follower (UUID bytes) in some blocks; otherwise as `follow_sums`."""
    if not len(blocks):
        return {}
    keys, checksums = _known_follows(user_rows, followers, followees)
    chosen = np.isin(blocks_of(keys), blocks)
    distinct, place = np.unique(keys[chosen], return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, place, checksums[chosen])
    return dict(zip(distinct.tolist(), sums.tolist(), strict=True))


def _known_follows(
    user_rows: Mapping[bytes, int], followers: Rows, followees: Rows
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Keys of the followers and checksums of the follows between users that have a key."""
    rows = np.fromiter(user_rows.values(), np.intp, len(user_rows))
    n_rows = 1 + max(int(part.max(initial=-1)) for part in (rows, followers, followees))
    keys, is_known = np.zeros(n_rows, KEY_DTYPE), np.zeros(n_rows, np.bool_)
    keys[rows] = np.frombuffer(b"".join(user_rows), KEY_DTYPE)
    is_known[rows] = True
    between_known = is_known[followers] & is_known[followees]
    follower_keys = keys[followers[between_known]]
    return follower_keys, follow_checksums(follower_keys, keys[followees[between_known]])
