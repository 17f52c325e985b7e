"""The difference between the follow edges of a state and those of the tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.uuid_index import UuidIndex

Rows = NDArray[np.int64]


def follow_difference(
    user_rows: Mapping[bytes, int],
    edges: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]],
    followers: NDArray[np.void],
    followees: NDArray[np.void],
) -> tuple[Rows, Rows]:
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
