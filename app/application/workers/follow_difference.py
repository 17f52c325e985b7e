"""The difference between the follow edges of a state and those of the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.uuid_index import UuidIndex


@dataclass(frozen=True, slots=True, eq=False)
class FollowDifference:
    """Edges to add and to remove: (n, 2) user rows of follower and followee."""

    added: NDArray[np.int64]
    removed: NDArray[np.int64]


def follow_difference(
    user_rows: Mapping[bytes, int],
    edges: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]],
    followers: NDArray[np.void],
    followees: NDArray[np.void],
) -> FollowDifference:
    """Compare the edges of a state with those of the tables.

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
    return FollowDifference(_edges(added, n_rows), _edges(removed, n_rows))


def _edges(numbers: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    return np.column_stack(np.divmod(numbers, n_rows))
