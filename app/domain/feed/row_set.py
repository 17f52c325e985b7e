"""A set of row numbers, at a cost that grows with its members and not with the number of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowSet:
    """Rows below `size`. A sparse set over uninitialised memory: see `GroupSums`, which sums over such a set."""

    def __init__(self, members: NDArray[np.integer[Any]], size: int) -> None:
        self._members = members
        self._position_of = np.empty(size, np.uint32)
        self._position_of[members] = np.arange(len(members), dtype=np.uint32)

    def contains(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether each of `rows` is a member, in the shape of `rows`."""
        if not len(self._members):
            return np.zeros(rows.shape, np.bool_)
        positions = np.minimum(self._position_of[rows], len(self._members) - 1)
        found: NDArray[np.bool_] = self._members[positions] == rows
        return found
