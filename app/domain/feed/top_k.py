"""The rows with the largest counts at one half-life, kept in order while events arrive."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.row_set import RowSet

NEVER = -np.inf
"""log2 of the count of a row without an event."""


class TopK:
    """The first `size` rows by log2 count, largest first; of rows with equal counts, the higher row first.

    The result is exact. A count only rises by an event, and time does not change the order. So the new top rows are
    among the last top rows and the rows that rose to the count of the last one of these.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: NDArray[np.intp] | None = None  # None: no result yet, or too many changes since
        self._min_value = np.inf  # log2 count of the last row in `_order`
        self._risen: list[NDArray[np.intp]] = []

    def invalidate(self) -> None:
        """Note that a count fell: the next result is sorted from all rows."""
        self._order, self._risen = None, []

    def notify(self, log2_counts: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
        """Note that the counts of `rows` rose. `log2_counts` (n_rows,) are the counts of all rows."""
        if self._order is None:
            return
        risen = rows[log2_counts[rows] >= self._min_value]
        if len(risen):
            self._risen.append(risen)
        if sum(map(len, self._risen)) > 4 * self._size:  # a full sort costs less, and the list would grow
            self._order, self._risen = None, []

    def first(self, log2_counts: NDArray[np.float64], count: int) -> NDArray[np.intp]:
        """The first `count` rows; at most `size`."""
        if self._order is None:
            self._order = self._sorted(log2_counts, self._candidates(log2_counts))[: self._size]
        elif self._risen:
            self._order = self._merged(log2_counts, self._order)[: self._size]
        else:
            return self._order[:count]
        is_full = len(self._order) == self._size
        self._min_value = log2_counts[self._order[-1]] if is_full and self._size else NEVER
        self._risen = []
        return self._order[:count]

    def _candidates(self, log2_counts: NDArray[np.float64]) -> NDArray[np.intp]:
        """The rows with an event whose count reaches that of the last top row."""
        rows = np.flatnonzero(log2_counts > NEVER)
        if len(rows) > self._size:
            cut = len(rows) - self._size
            rows = rows[log2_counts[rows] >= np.partition(log2_counts[rows], cut)[cut]]
        return rows

    def _merged(self, log2_counts: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
        """The last top rows and the risen rows in order."""
        risen = np.concatenate(self._risen)
        is_known = RowSet(order, len(log2_counts)).contains(risen)
        rows = np.concatenate([order, np.unique(risen[~is_known])])
        # A stable sort of rows that are almost in order costs a third; it is right unless equal rows are out of order.
        merged = rows[np.argsort(-log2_counts[rows], kind="stable")]
        is_equal = log2_counts[merged[1:]] == log2_counts[merged[:-1]]
        if (is_equal & (merged[1:] > merged[:-1])).any():
            return self._sorted(log2_counts, rows)
        return merged

    @staticmethod
    def _sorted(log2_counts: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        latest = np.sort(rows)[::-1]
        return latest[np.argsort(-log2_counts[latest], kind="stable")]
