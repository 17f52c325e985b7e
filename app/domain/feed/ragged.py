"""Many short, growing rows in a few flat arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check, group_of, number_of

_MIN_CAPACITY = 4  # entries of a row that has any
_MAX_POOL_RATIO = 2  # of the pool to the entries


def grow(array: NDArray[Any], size: int, fill: Any = 0) -> NDArray[Any]:
    """`array`, or a copy with its last axis at least doubled so that `size` fits; the new part holds `fill`."""
    have = array.shape[-1]
    if size <= have:
        return array
    shape = (*array.shape[:-1], max(size, 2 * have, 16))
    bigger = (
        np.full(shape, fill, array.dtype) if fill else np.zeros(shape, array.dtype)
    )  # zeros take no memory yet
    bigger[..., :have] = array
    return bigger


def cumulative_count(rows: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """(n,) the number of earlier occurrences of each entry's value: [7, 3, 7, 7] -> [0, 0, 1, 2]."""
    order = rows.argsort(kind="stable")
    ordered = rows[order]
    place = np.arange(len(rows))
    start = np.zeros(len(rows), np.intp)  # the first place with the same value as each place of `ordered`
    np.multiply(place[1:], ordered[1:] != ordered[:-1], out=start[1:])
    np.maximum.accumulate(start, out=start)
    result = np.empty(len(rows), np.intp)
    result[order] = place - start
    return result


def sum_by_row(rows: NDArray[Any], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(size,) the sum of `weights[i]` over all i with `rows[i]` = r, for each row r."""
    totals: NDArray[np.float64] = np.bincount(rows, weights=weights, minlength=size).astype(
        np.float64, copy=False
    )
    return totals


def ranges_to_indices(end: NDArray[Any], length: NDArray[Any]) -> NDArray[Any]:
    """The indices of the ranges `end[i] - length[i]`..`end[i] - 1`, one range after the other.

    [5, 9], [2, 1] -> [3, 4, 8].
    """
    place: NDArray[Any] = (end - length.cumsum()).repeat(length)
    place += np.arange(len(place))
    return place


class RaggedArray:
    """Rows of unequal length that grow at their end. Every entry has one value in each of several columns.

    The entries of all rows share one flat array (pool) per column. A row that exceeds its capacity moves to the end of
    the pool and gets twice the capacity. All rows of a batch move at once, and one fancy index reads any set of rows.
    """

    def __init__(self, *dtypes: DTypeLike, longest: int = 2**31) -> None:
        """The capacity of a row does not double beyond `longest` entries, the usual length of a long row."""
        self._longest = longest
        self._pools: list[NDArray[Any]] = [np.empty(0, dtype) for dtype in dtypes]
        self._used = 0
        self._start = np.zeros(0, np.int64)
        self._length = np.zeros(0, np.int64)
        self._capacity = np.zeros(0, np.int64)

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self._start, self._length, self._capacity = (
            grow(a, rows) for a in (self._start, self._length, self._capacity)
        )

    def length(self, row: int) -> int:
        """Entries in one row."""
        return self._length.item(row)

    def lengths(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Entries in each of `rows`."""
        return self._length[rows]

    def reserve(self, rows: NDArray[np.intp]) -> None:
        """Make room for one more entry for each occurrence of a row in `rows`. It changes no row.

        Other threads may read next to it: a row that moves is in both places, and its old place is not used again.
        """
        touched, counts = np.unique(rows, return_counts=True)
        self._ensure_capacity(touched, self._length[touched] + counts)

    def append(self, rows: NDArray[np.intp], *values: NDArray[Any]) -> None:
        """Append `values[...][i]` to row `rows[i]`, in order; a row may occur several times."""
        if not len(rows):
            return
        touched, counts = np.unique(rows, return_counts=True)
        self._ensure_capacity(touched, self._length[touched] + counts)
        place = self._start[rows] + self._length[rows] + cumulative_count(rows)
        for pool, column in zip(self._pools, values, strict=True):
            pool[place] = column
        self._length[touched] += counts

    def row(self, row: int, last: int | None = None) -> tuple[NDArray[Any], ...]:
        """Views of the columns of one row, oldest entry first; with `last`, only of its newest `last` entries."""
        start, length = self._start.item(row), self._length.item(row)
        end = start + length
        if last is not None:
            start = max(start, end - last)
        return tuple([pool[start:end] for pool in self._pools])

    def gather(
        self, rows: NDArray[np.intp], last: int, columns: Sequence[int] | None = None
    ) -> tuple[NDArray[np.intp], tuple[NDArray[Any], ...]]:
        """The newest `last` entries of each of `rows`, flat: one row after the other, oldest entry first.

        Returns (positions (n,), values): entry i belongs to `rows[positions[i]]`, and `values` has an array (n,) for
        each of `columns` (default: all).
        """
        full_length = self._length[rows]
        length = np.minimum(full_length, last)
        positions = np.arange(len(rows)).repeat(length)
        place = ranges_to_indices(self._start[rows] + full_length, length)
        pools = self._pools if columns is None else [self._pools[column] for column in columns]
        return positions, tuple(pool.take(place) for pool in pools)

    def replace(self, row: int, *values: NDArray[Any]) -> None:
        """Make `values` the columns of a row."""
        size = len(values[0])
        self._ensure_capacity(np.array([row]), np.array([size]))
        start = self._start.item(row)
        for pool, column in zip(self._pools, values, strict=True):
            pool[start : start + size] = column
        self._length[row] = size

    def clear(self, row: int) -> None:
        """Remove the entries and the capacity of a row, which may be large."""
        self._length[row] = self._capacity[row] = 0

    @property
    def wastes_memory(self) -> bool:
        """True if so much of the pool is of no use that `compacted` takes much less memory."""
        return self._used > _MAX_POOL_RATIO * int(self._length.sum()) + 65_536

    def compacted(self) -> "RaggedArray":
        """A copy without unused parts of the pool. An eighth more entries fit behind."""
        every_row = np.arange(len(self._length))
        _positions, columns = self.gather(every_row, int(self._length.max(initial=0)))
        result = RaggedArray(*(column.dtype for column in columns), longest=self._longest)
        result._used = len(columns[0])
        result._pools = [
            np.concatenate([column, np.zeros(len(column) // 8 + 16, column.dtype)]) for column in columns
        ]
        result._length, result._capacity = self._length.copy(), self._length.copy()
        result._start = np.cumsum(result._length) - result._length
        return result

    def discard(self, row: int, value: int) -> None:
        """Remove the entries of `row` whose first column equals `value`."""
        columns = self.row(row)
        keep = columns[0] != value
        for column in columns:
            column[: keep.sum()] = column[keep]
        self._length[row] = keep.sum()

    def move(self, value: int, before: int, now: int) -> None:
        """Take a value of an array with one column from a row to the end of another; -1: from or to no row."""
        if before == now:
            return
        if before >= 0:
            self.discard(before, value)
        if now >= 0:
            self.append(np.array([now]), np.array([value]))

    def array_tree(self) -> ArrayTree:
        """Where each row is, and the pools, with a little of the room behind the last row (see `from_tree`)."""
        room = self._used + self._used // 8 + 16
        return {
            "start": self._start,
            "length": self._length,
            "capacity": self._capacity,
            "used": np.array(self._used),
            "pools": {str(column): pool[:room] for column, pool in enumerate(self._pools)},
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, *dtypes: DTypeLike, longest: int = 2**31) -> "RaggedArray":
        """The inverse of `array_tree`, with the arrays of `tree` themselves. Raises ValueError."""
        result = cls(*dtypes, longest=longest)
        start, length, capacity = (array_of(tree, name, np.int64) for name in ("start", "length", "capacity"))
        pools, used = group_of(tree, "pools"), number_of(tree, "used")
        result._pools = [array_of(pools, str(column), dtype) for column, dtype in enumerate(dtypes)]
        check(len({len(pool) for pool in result._pools}) == 1, "the columns have different lengths")
        check(len(start) == len(length) == len(capacity), "not all rows have a place")
        check(bool((length >= 0).all() and (length <= capacity).all()), "a row is longer than its place")
        taken = np.flatnonzero(capacity)
        taken = taken[np.argsort(start[taken])]
        ends = np.append(0, (start + capacity)[taken])
        check(bool((start[taken] >= ends[:-1]).all()), "two rows have the same place")
        check(ends[-1] <= used <= len(result._pools[0]), "a row is behind the end")
        result._start, result._length, result._capacity, result._used = start, length, capacity, used
        return result

    def column(self, index: int) -> NDArray[Any]:
        """(n,) all values in one column, also of places that no row uses any more."""
        return self._pools[index][: self._used]

    @property
    def rows(self) -> int:
        """The number of rows that are addressable."""
        return len(self._length)

    def _ensure_capacity(self, rows: NDArray[np.intp], needed: NDArray[np.int64]) -> None:
        short = needed > self._capacity[rows]
        if not short.any():
            return
        moving, needed = rows[short], needed[short]
        capacity = np.maximum(2 * needed, _MIN_CAPACITY)
        capacity = np.maximum(np.minimum(capacity, self._longest), needed)
        start = self._used + np.cumsum(capacity) - capacity
        length = self._length[moving]
        self._used += int(capacity.sum())
        self._pools = [grow(pool, self._used) for pool in self._pools]
        source, target = (
            ranges_to_indices(self._start[moving] + length, length),
            ranges_to_indices(start + length, length),
        )
        for pool in self._pools:
            pool[target] = pool[source]
        self._start[moving], self._capacity[moving] = start, capacity
