"""Sums by row over few entries."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]
Rows = NDArray[np.integer[Any]]

# sums of all rows there are cost little; of more than so many, for each entry and besides, some are sooner looked up
_FEW, _LITTLE = 16, 16_384


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
        """(n_sums, n) sums of `rows`, 0 for those that have none and for -1, nobody."""
        ...

    def to_dense(self) -> Block:
        """(n_sums, size) sums of every row."""
        ...


def group_sums(rows: Rows, weights: Block, size: int) -> GroupSums:
    """Sums of `weights` (n_sums, n) by the row each belongs to: below `size`, negative ones do not count."""
    if rows.min(initial=0) < 0:
        known = rows >= 0
        rows, weights = rows[known], weights[:, known]
    beyond = (size - _FEW * len(rows)) * len(weights)
    kind = _DenseGroupSums if beyond <= _LITTLE else _SparseGroupSums
    return kind(rows, weights, size)


class _DenseGroupSums:
    """A sum for each row there is, and a last one, nobody's, which -1 asks for."""

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
    """A sparse set over memory that nobody cleared: a slot counts only if it points back at its row. What it costs
    grows with its entries, not with the size. Source: P. Briggs, L. Torczon, "An efficient representation for sparse
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
