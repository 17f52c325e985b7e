"""Many short, growing rows in a few flat arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check, check_range, group_of, number_of

_MIN_CAPACITY = 4  # entries of a row that grew
_MAX_LENGTH = 2**31 - 1
_MAX_POOL_RATIO = 2  # of the pool to the entries, and of the slots to the rows with entries
_MAX_UNUSED = 65_536  # entries or slots beyond this ratio
_ROWS_PER_STEP = 50_000  # copied at once


def grow(array: NDArray[Any], size: int, fill: Any = 0) -> NDArray[Any]:
    """`array`, or a copy with a last axis that is longer by an eighth or more, so that `size` fits.

    The new part holds `fill`.
    """
    have = array.shape[-1]
    if size <= have:
        return array
    shape = (*array.shape[:-1], max(size, have + have // 8, 16))
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
    the pool and gets twice the length. All rows of a batch move at once, and one fancy index reads any set of rows.
    Only a row that had entries has a slot, which knows its place in the pool. Any other row takes 4 bytes: its slot is
    0, which has no entries.
    """

    def __init__(self, *dtypes: DTypeLike, longest: int = _MAX_LENGTH) -> None:
        """The capacity of a row does not double beyond `longest` entries, the usual length of a long row."""
        self._longest = longest
        self._pools: list[NDArray[Any]] = [np.empty(0, dtype) for dtype in dtypes]
        self._used = 0
        self._slot_of = np.zeros(0, np.int32)  # by row
        self._slots = 1
        self._start = np.zeros(1, np.int64)  # by slot, as are the following
        self._length = np.zeros(1, np.int32)
        self._capacity = np.zeros(1, np.int32)

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self._slot_of = grow(self._slot_of, rows)

    def length(self, row: int) -> int:
        """Entries in one row."""
        return self._length.item(self._slot_of.item(row))

    def lengths(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Entries in each of `rows`."""
        return self._length.take(self._slot_of.take(rows))

    def reserve(self, rows: NDArray[np.intp]) -> None:
        """Make room for one more entry for each occurrence of a row in `rows`. It changes no row.

        Other threads may read next to it: a row that moves is in both places, and its old place is not used again.
        """
        touched, counts = np.unique(rows, return_counts=True)
        slots = self._slots_of(touched)
        self._ensure_capacity(touched, slots, self._length[slots] + counts)

    def reserve_lengths(self, rows: NDArray[np.intp], lengths: NDArray[np.integer[Any]]) -> None:
        """As `reserve`, for at least so many entries in each of distinct `rows`."""
        self._ensure_capacity(rows, self._slots_of(rows), lengths.astype(np.int64))

    def reserve_new(self, rows: int, entries: int) -> None:
        """As `reserve`, for so many rows without entries so far, which get at most so many entries together."""
        used = self._used + 2 * entries + _MIN_CAPACITY * rows
        self._pools = [grow(pool, used) for pool in self._pools]
        self._reserve_slots(self._slots + rows)

    def append(self, rows: NDArray[np.intp], *values: NDArray[Any]) -> None:
        """Append `values[...][i]` to row `rows[i]`, in order; a row may occur several times."""
        if not len(rows):
            return
        order = rows.argsort(kind="stable")
        ordered = rows[order]
        first = np.append(0, (ordered[1:] != ordered[:-1]).nonzero()[0] + 1)
        counts = np.append(first[1:], len(rows)) - first
        touched = ordered[first]
        slots = self._slots_of(touched)
        length = self._length[slots] + counts
        slots = self._ensure_capacity(touched, slots, length)
        place = ranges_to_indices(self._start[slots] + length, counts)
        for pool, column in zip(self._pools, values, strict=True):
            pool[place] = column[order]
        self._length[slots] = length

    def row(self, row: int, last: int | None = None) -> tuple[NDArray[Any], ...]:
        """Views of the columns of one row, oldest entry first; with `last`, only of its newest `last` entries."""
        slot = self._slot_of.item(row)
        start = self._start.item(slot)
        end = start + self._length.item(slot)
        if last is not None:
            start = max(start, end - last)
        return tuple([pool[start:end] for pool in self._pools])

    def newest(self, rows: NDArray[np.intp], column: int) -> NDArray[Any]:
        """(n_rows,) the value of the newest entry of each row; of a row without entries it has no meaning."""
        if not self._used:
            return np.zeros(len(rows), self._pools[column].dtype)
        slots = self._slot_of[rows]
        return self._pools[column].take(self._start[slots] + self._length[slots] - 1)

    def gather(
        self, rows: NDArray[np.intp], last: int, columns: Sequence[int] | None = None
    ) -> tuple[NDArray[np.intp], tuple[NDArray[Any], ...]]:
        """The newest `last` entries of each of `rows`, flat: one row after the other, oldest entry first.

        Returns (positions (n,), values): entry i belongs to `rows[positions[i]]`, and `values` has an array (n,) for
        each of `columns` (default: all).
        """
        slots = self._slots_of(rows)
        full_length = self._length[slots]
        length = np.minimum(full_length, last).astype(np.intp)
        positions = np.arange(len(rows)).repeat(length)
        place = ranges_to_indices(self._start[slots] + full_length, length)
        pools = self._pools if columns is None else [self._pools[column] for column in columns]
        return positions, tuple(pool.take(place) for pool in pools)

    def replace(self, row: int, *values: NDArray[Any]) -> None:
        """Make `values` the columns of a row."""
        size, rows = len(values[0]), np.array([row])
        slot = self._ensure_capacity(rows, self._slots_of(rows), np.array([size])).item()
        start = self._start.item(slot)
        for pool, column in zip(self._pools, values, strict=True):
            pool[start : start + size] = column
        self._length[slot] = size

    def replace_rows(
        self, rows: NDArray[np.intp], lengths: NDArray[np.integer[Any]], *values: NDArray[Any]
    ) -> None:
        """Make `values` the columns of distinct `rows`: one row after the other, of such lengths."""
        slots = self._ensure_capacity(rows, self._slots_of(rows), lengths.astype(np.int64))
        place = ranges_to_indices(self._start[slots] + lengths, lengths)
        for pool, column in zip(self._pools, values, strict=True):
            pool[place] = column
        self._length[slots] = lengths

    def clear(self, rows: NDArray[np.intp] | int) -> None:
        """Remove the entries and the capacity of rows, which may be large."""
        slots = self._slot_of[rows]
        self._length[slots] = self._capacity[slots] = 0

    @property
    def wastes_memory(self) -> bool:
        """True if so much of the pool, or so many slots, are of no use that `compacted` takes much less memory."""
        length = self._length[: self._slots]
        of_pool, of_slots = (self._used, int(length.sum())), (self._slots, int(np.count_nonzero(length)))
        return any(taken > _MAX_POOL_RATIO * used + _MAX_UNUSED for taken, used in (of_pool, of_slots))

    def compacted(self) -> "RaggedArray":
        """A copy without unused slots and parts of the pool. An eighth more entries fit behind."""
        result = RaggedArray(*(pool.dtype for pool in self._pools), longest=self._longest)
        result.ensure_rows(self.rows)
        rows = self.lengths(np.arange(self.rows)).nonzero()[0]
        length = self.lengths(rows)
        result._used = int(length.sum())
        result._pools = [np.zeros(result._used + result._used // 8 + 16, pool.dtype) for pool in self._pools]
        result._slots = 1 + len(rows)
        result._slot_of[rows] = np.arange(1, result._slots)
        result._length = np.concatenate([np.zeros(1, np.int32), length])
        result._capacity = result._length.copy()
        result._start = np.cumsum(result._length) - result._length
        for first in range(0, len(rows), _ROWS_PER_STEP):
            some = rows[first : first + _ROWS_PER_STEP]
            _positions, columns = self.gather(some, _MAX_LENGTH)
            start = result._start.item(result._slot_of.item(some[0]))
            for pool, column in zip(result._pools, columns, strict=True):
                pool[start : start + len(column)] = column
        return result

    def discard(self, row: int, value: int) -> None:
        """Remove the entries of `row` whose first column equals `value`."""
        columns = self.row(row)
        keep = columns[0] != value
        for column in columns:
            column[: keep.sum()] = column[keep]
        self._length[self._slot_of.item(row)] = keep.sum()

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
            "slot": self._slot_of,
            "start": self._start[: self._slots],
            "length": self._length[: self._slots],
            "capacity": self._capacity[: self._slots],
            "used": np.array(self._used),
            "pools": {str(column): pool[:room] for column, pool in enumerate(self._pools)},
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, *dtypes: DTypeLike, longest: int = _MAX_LENGTH) -> "RaggedArray":
        """The inverse of `array_tree`, with the arrays of `tree` themselves. Raises ValueError."""
        result = cls(*dtypes, longest=longest)
        slot_of, length, capacity = (
            array_of(tree, name, np.int32) for name in ("slot", "length", "capacity")
        )
        start = array_of(tree, "start", np.int64)
        pools, used = group_of(tree, "pools"), number_of(tree, "used")
        result._pools = [array_of(pools, str(column), dtype) for column, dtype in enumerate(dtypes)]
        check(len({len(pool) for pool in result._pools}) == 1, "the columns have different lengths")
        check(0 < len(start) == len(length) == len(capacity), "not all rows have a place")
        check(length[0] == 0, "a row without a slot has entries")
        check_range(slot_of, 0, len(start), "slots")
        check(bool((np.bincount(slot_of)[1:] <= 1).all()), "two rows have the same slot")
        check(bool((length >= 0).all() and (length <= capacity).all()), "a row is longer than its place")
        taken = np.flatnonzero(capacity)
        taken = taken[np.argsort(start[taken])]
        ends = np.append(0, (start + capacity)[taken])
        check(bool((start[taken] >= ends[:-1]).all()), "two rows have the same place")
        check(ends[-1] <= used <= len(result._pools[0]), "a row is behind the end")
        result._slot_of, result._slots, result._used = slot_of, len(start), used
        result._start, result._length, result._capacity = start, length, capacity
        return result

    def column(self, index: int) -> NDArray[Any]:
        """(n,) all values in one column, also of places that no row uses any more; a view."""
        return self._pools[index][: self._used]

    @property
    def rows(self) -> int:
        """The number of rows that are addressable."""
        return len(self._slot_of)

    def _slots_of(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
        # numpy converts any other index, each time
        slots: NDArray[np.intp] = self._slot_of[rows].astype(np.intp)
        return slots

    def _ensure_capacity(
        self, rows: NDArray[np.intp], slots: NDArray[np.intp], needed: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """Make room for so many entries in each of distinct `rows`, which have `slots`. Returns their slots now."""
        short = (needed > self._capacity[slots]).nonzero()[0]
        if not len(short):
            return slots
        new = short[slots[short] == 0]
        if len(new):
            slots[new] = np.arange(self._slots, self._slots + len(new))
            self._slots += len(new)
            self._reserve_slots(self._slots)
        moving, needed = slots[short], needed[short]
        # exactly what its first entries need: most rows that are filled at once never grow
        had_entries = self._capacity[moving] > 0
        capacity = np.where(had_entries, np.maximum(2 * needed, _MIN_CAPACITY), needed)
        capacity = np.maximum(np.minimum(capacity, self._longest), needed)
        start = self._used + capacity.cumsum() - capacity
        length = self._length[moving].astype(np.intp)
        self._used += int(capacity.sum())
        self._pools = [grow(pool, self._used) for pool in self._pools]
        source, target = (
            ranges_to_indices(self._start[moving] + length, length),
            ranges_to_indices(start + length, length),
        )
        for pool in self._pools:
            pool[target] = pool[source]
        self._start[moving], self._capacity[moving] = start, capacity
        self._slot_of[rows[new]] = slots[new]  # last, because other threads may read
        return slots

    def _reserve_slots(self, slots: int) -> None:
        self._start, self._length, self._capacity = (
            grow(by_slot, slots) for by_slot in (self._start, self._length, self._capacity)
        )
