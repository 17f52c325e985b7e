"""Row numbers in order of a value of each row, kept in order while rows arrive and values change."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.domain.feed.ragged import grow


class SortedRows:
    """Rows sorted by value; of rows with equal values, the one that was added later comes later.

    Adding rows with the largest values, as new posts have the latest times, costs the same at any number of rows.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._rows = np.zeros(0, np.intp)
        self._values = np.zeros(0, dtype)
        self._length = 0

    @property
    def rows(self) -> NDArray[np.intp]:
        """(n,) all rows, smallest value first; a view that the next change may alter."""
        return self._rows[: self._length]

    @property
    def values(self) -> NDArray[Any]:
        """(n,) the values of `rows`, ascending."""
        return self._values[: self._length]

    def add(self, rows: NDArray[np.intp], values: NDArray[Any]) -> None:
        """Add new rows; of equal values in `values`, the earlier one comes first."""
        order = np.argsort(values, kind="stable")
        rows, values = rows[order], values[order]
        place = np.searchsorted(self.values, values, side="right")
        first = int(place.min(initial=self._length))  # what lies before stays where it is
        tail_rows = np.insert(self.rows[first:], place - first, rows)
        tail_values = np.insert(self.values[first:], place - first, values)
        self._length += len(rows)
        self.reserve(self._length)
        self._rows[first : self._length], self._values[first : self._length] = tail_rows, tail_values

    def reserve(self, length: int) -> None:
        """Make room for `length` rows. It changes no value."""
        self._rows, self._values = grow(self._rows, length), grow(self._values, length)

    def change(self, row: int, value: Any) -> None:
        """Give a row another value; it comes after the rows that have this value."""
        place = int(np.flatnonzero(self.rows == row)[0])
        for column in (self._rows, self._values):
            column[place : self._length - 1] = column[place + 1 : self._length].copy()
        self._length -= 1
        self.add(np.array([row]), np.array([value], self._values.dtype))
