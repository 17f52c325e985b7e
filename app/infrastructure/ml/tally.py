"""Sums over few rows among very many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float64]


class Tally:
    """Weights summed by row, for few rows among very many."""

    def __init__(self, rows: NDArray[np.integer[Any]], weights: Block) -> None:
        """`weights` (n_sums, n): several sums over the same rows at once."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        first = (
            np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(rows) else np.empty(0, np.intp)
        )
        self._rows = ordered[first]
        sums = np.add.reduceat(weights[:, order], first, axis=1) if len(rows) else weights
        self._sums = np.concatenate([sums, np.zeros((len(weights), 1))], axis=1)

    def of(self, rows: NDArray[np.intp]) -> Block:
        """(n_sums, n) sums of `rows`, 0 for those that have none."""
        place = np.searchsorted(self._rows, rows)
        found = place < len(self._rows)
        found[found] = self._rows[place[found]] == rows[found]
        return self._sums[:, np.where(found, place, -1)]
