"""Sums of weighted entries by row."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]
Rows = NDArray[np.integer[Any]]

# A dense sum is cheaper up to about 16 rows for each entry, plus 16,384 rows; above, a sparse lookup is faster.
_ROWS_PER_ENTRY, _FREE_ROWS = 16, 16_384


class GroupSums(Protocol):
    """Several sums of weights over the same rows.

    rows  (n,) the rows that have entries, each once
    sums  (n_sums, n) their sums
    """

    @property
    def rows(self) -> NDArray[np.intp]: ...

    @property
    def sums(self) -> Block: ...

    def for_rows(self, rows: Rows) -> Block:
        """(n_sums, n) sums of `rows`; 0 for a row without an entry, and for -1."""
        ...

    def to_dense(self) -> Block:
        """(n_sums, size) sums of every row."""
        ...


def group_sums(rows: Rows, weights: Block, size: int) -> GroupSums:
    """Sums of `weights` (n_sums, n) by `rows` (n,), which are below `size`; entries of negative rows are ignored."""
    if rows.min(initial=0) < 0:
        known = rows >= 0
        rows, weights = rows[known], weights[:, known]
    excess = (size - _ROWS_PER_ENTRY * len(rows)) * len(weights)
    kind = _DenseGroupSums if excess <= _FREE_ROWS else _SparseGroupSums
    return kind(rows, weights, size)


class _DenseGroupSums:
    """One sum for each row, and a last sum of 0, which the index -1 returns."""

    def __init__(self, rows: Rows, weights: Block, size: int) -> None:
        self._entries = rows
        self._sums = np.empty((len(weights), size + 1))
        for total, one in zip(self._sums, weights, strict=True):
            total[:] = np.bincount(rows, one, size + 1)

    def for_rows(self, rows: Rows) -> Block:
        sums: Block = self._sums.take(rows, axis=1)
        return sums

    def to_dense(self) -> Block:
        return self._sums[:, :-1]

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        return (np.bincount(self._entries) > 0).nonzero()[0]

    @cached_property
    def sums(self) -> Block:
        return self._sums.take(self.rows, axis=1)


class _SparseGroupSums:
    """A sparse set over uninitialised memory: a slot is valid only if it points back at its row. So the cost grows with
    the entries, not with the size. Source: P. Briggs, L. Torczon, "An efficient representation for sparse
    sets", ACM LOPLAS 2 (1993).
    """

    def __init__(self, rows: Rows, weights: Block, size: int) -> None:
        self._last = len(rows)  # the slot of nobody
        self._entries = np.arange(self._last, dtype=np.uint32)
        self._slot_of = np.empty(size, np.uint32)
        self._slot_of[rows] = self._entries
        self._slots = self._slot_of[rows]
        self._owner = np.empty(self._last + 1, np.intp)
        self._owner[:-1], self._owner[-1] = rows, -1
        self._sums = np.empty((len(weights), self._last + 1))
        for total, one in zip(self._sums, weights, strict=True):
            total[:] = np.bincount(self._slots, one, self._last + 1)

    def for_rows(self, rows: Rows) -> Block:
        slots = np.minimum(self._slot_of[rows], self._last)
        slots[self._owner[slots] != rows] = self._last
        sums: Block = self._sums.take(slots, axis=1)
        return sums

    def to_dense(self) -> Block:
        result = np.zeros((len(self._sums), len(self._slot_of)))
        result[:, self.rows] = self.sums
        return result

    @cached_property
    def _used(self) -> NDArray[np.intp]:
        used: NDArray[np.intp] = (self._slots == self._entries).nonzero()[0]
        return used

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        return self._owner[self._used]

    @cached_property
    def sums(self) -> Block:
        return self._sums.take(self._used, axis=1)
