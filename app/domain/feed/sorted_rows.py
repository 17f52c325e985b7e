"""Row numbers in order of a value of each row, kept in order while rows arrive and leave and values change."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.domain.feed.ragged import grow

Rows = NDArray[np.intp]
ByRow = NDArray[np.int64]


class SortedRows:
    """Rows sorted by value. Of rows with equal values, the larger tie break comes later, then the later addition.

    Adding rows with the largest values, as new posts have the latest times, costs the same at any number of rows.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._rows = np.zeros(0, np.intp)
        self._values = np.zeros(0, dtype)
        self._length = 0

    @property
    def rows(self) -> Rows:
        """(n,) all rows, smallest value first; a view that the next change may alter."""
        return self._rows[: self._length]

    @property
    def values(self) -> NDArray[Any]:
        """(n,) the values of `rows`, ascending."""
        return self._values[: self._length]

    def add(self, rows: Rows, values: NDArray[Any], tie_breaks: ByRow | None = None) -> None:
        """Add new rows. `tie_breaks` (at least n_rows,) holds the tie break of every row; None: all are equal."""
        order = (
            np.argsort(values, kind="stable")
            if tie_breaks is None
            else np.lexsort((tie_breaks[rows], values))
        )
        rows, values = rows[order], values[order]
        place = np.searchsorted(self.values, values, side="right")
        if tie_breaks is not None:
            self._move_before_larger_ties(place, rows, values, tie_breaks)
        first = int(place.min(initial=self._length))  # what lies before stays where it is
        tail_rows = np.insert(self.rows[first:], place - first, rows)
        tail_values = np.insert(self.values[first:], place - first, values)
        self._length += len(rows)
        self.reserve(self._length)
        self._rows[first : self._length], self._values[first : self._length] = tail_rows, tail_values

    def _move_before_larger_ties(
        self, place: NDArray[np.intp], rows: Rows, values: NDArray[Any], tie_breaks: ByRow
    ) -> None:
        """Correct `place`, which is after all equal values, for new rows with a smaller tie break than some of them."""
        start = np.searchsorted(self.values, values, side="left")
        for index in np.flatnonzero(start < place).tolist():
            equal = self.rows[start[index] : place[index]]
            place[index] = start[index] + np.searchsorted(
                tie_breaks[equal], tie_breaks[rows[index]], side="right"
            )

    def reserve(self, length: int) -> None:
        """Make room for `length` rows. It changes no value."""
        self._rows, self._values = grow(self._rows, length), grow(self._values, length)

    def change(self, row: int, value: Any, tie_breaks: ByRow | None = None) -> None:
        """Give a row another value. `tie_breaks` as in `add`."""
        place = int(np.flatnonzero(self.rows == row)[0])
        for column in (self._rows, self._values):
            column[place : self._length - 1] = column[place + 1 : self._length].copy()
        self._length -= 1
        self.add(np.array([row]), np.array([value], self._values.dtype), tie_breaks)

    def without(self, rows: Rows) -> "SortedRows":
        """A copy that lacks `rows`; this one if there are none."""
        if not len(rows):
            return self
        keep = np.isin(self.rows, rows, invert=True)
        others = SortedRows(self._values.dtype)
        others._rows, others._values = self.rows[keep], self.values[keep]
        others._length = len(others._rows)
        return others
