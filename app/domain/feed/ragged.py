"""Many short, growing rows in a few flat arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_CAPACITY = 4


def grow(array: NDArray[Any], size: int, fill: Any = 0) -> NDArray[Any]:
    """`array`, or a copy with its last axis at least doubled so that `size` fits; the new part holds `fill`."""
    have = array.shape[-1]
    if size <= have:
        return array
    bigger = np.full((*array.shape[:-1], max(size, 2 * have, 16)), fill, array.dtype)
    bigger[..., :have] = array
    return bigger


def cumulative_count(rows: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """How often each entry's value stood earlier in `rows`: [7, 3, 7, 7] -> [0, 0, 1, 2]."""
    order = rows.argsort(kind="stable")
    ordered = rows[order]
    place = np.arange(len(rows))
    start = np.zeros(len(rows), np.intp)  # of the run of equal values that each stands in
    np.multiply(place[1:], ordered[1:] != ordered[:-1], out=start[1:])
    np.maximum.accumulate(start, out=start)
    result = np.empty(len(rows), np.intp)
    result[order] = place - start
    return result


def sum_by_row(rows: NDArray[Any], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(size,) sums of `weights` by the row each belongs to."""
    totals: NDArray[np.float64] = np.bincount(rows, weights=weights, minlength=size).astype(
        np.float64, copy=False
    )
    return totals


def ranges_to_indices(end: NDArray[Any], length: NDArray[Any]) -> NDArray[Any]:
    """Positions of the runs of `length[i]` entries before `end[i]`, run by run: [5, 9], [2, 1] -> [3, 4, 8]."""
    place: NDArray[Any] = (end - length.cumsum()).repeat(length)
    place += np.arange(len(place))
    return place


class RaggedArray:
    """Rows of unequal length over shared columns, appended at the end: each row reads oldest first.

    A row that outgrows its place moves to the end of the pool with twice the room, as a list would, but all rows
    of a batch move at once, and any set of rows is gathered by one fancy index.
    """

    def __init__(self, *dtypes: DTypeLike) -> None:
        self._pools: list[NDArray[Any]] = [np.empty(0, dtype) for dtype in dtypes]
        self._used = 0
        self._start = np.zeros(0, np.int64)
        self._length = np.zeros(0, np.int64)
        self._room = np.zeros(0, np.int64)

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self._start, self._length, self._room = (
            grow(a, rows) for a in (self._start, self._length, self._room)
        )

    def length(self, row: int) -> int:
        """Entries in one row."""
        return self._length.item(row)

    def lengths(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Entries in each of `rows`."""
        return self._length[rows]

    def append(self, rows: NDArray[np.intp], *values: NDArray[Any]) -> None:
        """Append `values[...][i]` to row `rows[i]`, in order; a row may occur several times."""
        if not len(rows):
            return
        touched, counts = np.unique(rows, return_counts=True)
        self._make_room(touched, self._length[touched] + counts)
        place = self._start[rows] + self._length[rows] + cumulative_count(rows)
        for pool, column in zip(self._pools, values, strict=True):
            pool[place] = column
        self._length[touched] += counts

    def row(self, row: int, last: int | None = None) -> tuple[NDArray[Any], ...]:
        """Views of a row's columns, its newest `last` entries."""
        start, length = self._start.item(row), self._length.item(row)
        end = start + length
        if last is not None:
            start = max(start, end - last)
        return tuple([pool[start:end] for pool in self._pools])

    def gather(
        self, rows: NDArray[np.intp], last: int, columns: Sequence[int] | None = None
    ) -> tuple[NDArray[np.intp], tuple[NDArray[Any], ...]]:
        """The newest `last` entries of each of `rows`: the position in `rows` each belongs to, and (some) columns."""
        have = self._length[rows]
        length = np.minimum(have, last)
        owner = np.arange(len(rows)).repeat(length)
        place = ranges_to_indices(self._start[rows] + have, length)
        pools = self._pools if columns is None else [self._pools[column] for column in columns]
        return owner, tuple(pool[place] for pool in pools)

    def replace(self, row: int, *values: NDArray[Any]) -> None:
        """Make `values` the columns of a row."""
        self._length[row] = 0
        self.append(np.full(len(values[0]), row), *values)

    def discard(self, row: int, value: int) -> None:
        """Remove the entries of `row` whose first column equals `value`."""
        columns = self.row(row)
        keep = columns[0] != value
        for column in columns:
            column[: keep.sum()] = column[keep]
        self._length[row] = keep.sum()

    def to_arrays(self) -> dict[str, Any]:
        """The rows as plain arrays without unused room (see `from_arrays`)."""
        rows = np.arange(len(self._length))
        _, columns = self.gather(rows, int(self._length.max(initial=0)))
        return {"length": self._length.copy(), "columns": list(columns)}

    @classmethod
    def from_arrays(cls, saved: dict[str, Any]) -> "RaggedArray":
        """The inverse of `to_arrays`."""
        columns: Sequence[NDArray[Any]] = saved["columns"]
        result = cls(*(column.dtype for column in columns))
        result._pools = [column.copy() for column in columns]
        result._length = saved["length"].copy()
        result._room = saved["length"].copy()
        result._start = np.cumsum(result._length) - result._length
        result._used = int(result._length.sum())
        return result

    def _make_room(self, rows: NDArray[np.intp], needed: NDArray[np.int64]) -> None:
        short = needed > self._room[rows]
        if not short.any():
            return
        moving, needed = rows[short], needed[short]
        room = np.maximum(2 * needed, _FIRST_CAPACITY)
        start = self._used + np.cumsum(room) - room
        length = self._length[moving]
        self._used += int(room.sum())
        self._pools = [grow(pool, self._used) for pool in self._pools]
        source, target = (
            ranges_to_indices(self._start[moving] + length, length),
            ranges_to_indices(start + length, length),
        )
        for pool in self._pools:
            pool[target] = pool[source]
        self._start[moving], self._room[moving] = start, room
