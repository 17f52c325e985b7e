"""The rows with the largest counts at one half-life, kept in order while events arrive."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.row_set import RowSet

NEVER = -np.inf
"""log2 of the count of a row without an event."""


class TopK:
    """The first `size` rows by log2 count, largest first; of rows with equal counts, the larger tie break first.

    The result is exact. A count rises by an event, and time does not change the order. So the new top rows are among
    the last top rows and the rows that rose to the count of the last one of these. A row whose count fell leaves the
    list, which then has all rows above `_min_value`; it is sorted from all rows once it is too short for a caller.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: NDArray[np.intp] | None = None  # None: no result yet, or too many changes since
        self._min_value = np.inf  # log2 count that no row outside `_order` exceeds, except for risen ones
        self._risen: list[NDArray[np.intp]] = []

    def replaced(self, log2_counts: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
        """Note that the counts of `rows` may have fallen."""
        if self._order is not None:
            stays = (log2_counts[self._order] > self._min_value) & ~np.isin(self._order, rows)
            self._order = self._order[stays]
            self.notify(log2_counts, rows)

    def notify(self, log2_counts: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
        """Note that the counts of `rows` rose. `log2_counts` (n_rows,) are the counts of all rows."""
        if self._order is None:
            return
        risen = rows[log2_counts[rows] >= self._min_value]
        if len(risen):
            self._risen.append(risen)
        if sum(map(len, self._risen)) > 4 * self._size:  # a full sort costs less, and the list would grow
            self._order, self._risen = None, []

    def first(
        self, log2_counts: NDArray[np.float64], count: int, tie_breaks: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """The first `count` rows; at most `size`. `tie_breaks` (n_rows,) never change while a row has a count."""
        order = self._order
        if order is not None and self._risen:
            order = self._merged(log2_counts, order, tie_breaks)
        if order is None or (len(order) < count and self._min_value > NEVER):
            order = _sorted(log2_counts, self._candidates(log2_counts), tie_breaks)
            self._min_value = NEVER
        if len(order) >= self._size:
            order = order[: self._size]
            self._min_value = log2_counts[order[-1]]
        self._order, self._risen = order, []
        return order[:count]

    def _candidates(self, log2_counts: NDArray[np.float64]) -> NDArray[np.intp]:
        """The rows with an event whose count reaches that of the last top row."""
        rows = np.flatnonzero(log2_counts > NEVER)
        if len(rows) > self._size:
            cut = len(rows) - self._size
            rows = rows[log2_counts[rows] >= np.partition(log2_counts[rows], cut)[cut]]
        return rows

    def _merged(
        self, log2_counts: NDArray[np.float64], order: NDArray[np.intp], tie_breaks: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """The last top rows and the risen rows in order."""
        risen = np.concatenate(self._risen)
        if len(order) < self._size:
            risen = risen[
                log2_counts[risen] > self._min_value
            ]  # of rows with this count, not all are in the list
        is_known = RowSet(order, len(log2_counts)).contains(risen)
        rows = np.concatenate([order, np.unique(risen[~is_known])])
        # A stable sort of rows that are almost in order costs a third; it is right unless equal rows are out of order.
        merged = rows[np.argsort(-log2_counts[rows], kind="stable")]
        is_equal = log2_counts[merged[1:]] == log2_counts[merged[:-1]]
        if (is_equal & (tie_breaks[merged[1:]] > tie_breaks[merged[:-1]])).any():
            return _sorted(log2_counts, rows, tie_breaks)
        return merged


def _sorted(
    log2_counts: NDArray[np.float64], rows: NDArray[np.intp], tie_breaks: NDArray[np.int64]
) -> NDArray[np.intp]:
    return rows[np.lexsort((-tie_breaks[rows], -log2_counts[rows]))]
