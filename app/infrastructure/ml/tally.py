"""Sums over few rows among very many."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]


class Tally:
    """Weights summed by row, for few rows among very many.

    A sparse set over memory that nobody cleared: a slot counts only if it points back at its row. What it costs grows
    with its entries, not with the size. Source: P. Briggs, L. Torczon, "An efficient representation for sparse sets",
    ACM LOPLAS 2 (1993).
    """

    def __init__(self, rows: NDArray[np.integer[Any]], weights: Block, size: int) -> None:
        """`rows` below `size`, negative ones do not count; `weights` (n_sums, n): several sums over the same rows."""
        if rows.min(initial=0) < 0:
            known = rows >= 0
            rows, weights = rows[known], weights[:, known]
        self._last = len(rows)  # the slot of nobody
        self._entries = np.arange(self._last, dtype=np.uint32)
        self._slot_of = np.empty(max(size, 1), np.uint32)
        self._slot_of[rows] = self._entries
        self._slots = self._slot_of[rows]
        self._owner = np.empty(self._last + 1, np.intp)
        self._owner[:-1], self._owner[-1] = rows, -1
        self._sums = np.empty((len(weights), self._last + 1))
        for total, one in zip(self._sums, weights, strict=True):
            total[:] = np.bincount(self._slots, one, self._last + 1)

    def of(self, rows: NDArray[np.integer[Any]]) -> Block:
        """(n_sums, n) sums of `rows`, 0 for those that have none and for negative ones."""
        slots = np.minimum(self._slot_of[rows], self._last)
        slots[self._owner[slots] != rows] = self._last
        sums: Block = self._sums.take(slots, axis=1)
        return sums

    def spread(self, size: int) -> Block:
        """(n_sums, size) sums of every row."""
        result = np.zeros((len(self._sums), size))
        result[:, self.rows] = self.sums
        return result

    @cached_property
    def _used(self) -> NDArray[np.intp]:
        return np.flatnonzero(self._slots == self._entries)

    @property
    def rows(self) -> NDArray[np.intp]:
        """(n,) the rows that have sums, each once."""
        return self._owner[self._used]

    @property
    def sums(self) -> Block:
        """(n_sums, n) their sums."""
        return self._sums[:, self._used]
