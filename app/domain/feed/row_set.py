"""A set of row numbers, at a cost that grows with its members and not with the number of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowSet:
    """Rows below `size`. A sparse set over uninitialised memory: see `GroupSums`, which sums over such a set."""

    def __init__(self, members: NDArray[np.integer[Any]], size: int) -> None:
        self._members = members
        self._position_of = np.empty(size, np.int32)
        self._position_of[members] = np.arange(len(members), dtype=np.int32)

    def contains(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether each of `rows` is a member, in the shape of `rows`."""
        return self.find(rows)[1]

    def find(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The position of each of `rows` in the members, the last one of equal members, and whether it is a member.

        Both are in the shape of `rows`. The position of a row that is no member is any number.
        """
        if not len(self._members):
            return np.zeros(rows.shape, np.int32), np.zeros(rows.shape, np.bool_)
        positions = self._position_of.take(rows)
        return positions, self._members.take(positions, mode="clip") == rows
