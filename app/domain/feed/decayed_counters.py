"""Weighted event counts with exponential decay, at several half-lives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check
from app.domain.feed.ragged import grow
from app.domain.feed.top_k import NEVER, TopK

# Counts below 2 ** -1000 (about 1e-301) are 0. Counts above 2 ** 1000, of events in the future, are 2 ** 1000.
_MAX_LOG2 = 1000.0


class DecayedCounters:
    """For each row and half-life h, the sum over its events of weight x 0.5 ** (age / h).

    The counters store K = log2 sum weight x 2 ** (t / h), with the time t of each event. An event changes K, time does
    not. The count at `now` is 2 ** (K - now / h): nothing overflows, and the order of rows by K is their order at any
    time.
    Events of a row are added one by one, so the same events in the same order give the same bits in any batches.
    """

    def __init__(self, half_lives: Sequence[float], top_k_size: int = 0) -> None:
        """`half_lives` in seconds; `top_k_size` is the maximum number of rows that `top_k` returns."""
        self.half_lives = np.asarray(half_lives, np.float64)
        self.rows = 0
        self._log2_counts = np.full((len(self.half_lives), 0), NEVER)
        self._top_k_size = top_k_size
        self._top_k = (
            [TopK(top_k_size) for _ in self.half_lives] if top_k_size else []
        )  # one per half-life, or none

    def reserve(self, rows: int) -> None:
        """Make room for `rows` rows. It changes no value."""
        self._log2_counts = grow(self._log2_counts, rows, NEVER)

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self.reserve(rows)
        self.rows = max(self.rows, rows)

    def add(self, rows: NDArray[np.intp], times: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Count an event at `times[i]` (seconds since the epoch) for `rows[i]`, in the order of the arrays.

        `weights` (n,) are not negative. The order matters to the last bit, because floating-point sums depend on it.
        """
        rows = self._add(self._log2_counts, rows, times, weights)
        for top_k, log2_counts in zip(self._top_k, self._log2_counts, strict=False):
            top_k.notify(log2_counts, rows)

    def log2_counts_of(self, times: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_half_lives,) the counts of a row with events at `times` (seconds since the epoch), for `replace`."""
        log2_counts = np.full((len(self.half_lives), 1), NEVER)
        self._add(log2_counts, np.zeros(len(times), np.intp), times, weights)
        return log2_counts[:, 0]

    def replace(self, rows: NDArray[np.intp], log2_counts: NDArray[np.float64]) -> None:
        """Make `log2_counts` (n_rows, n_half_lives) those of distinct `rows`."""
        self._log2_counts[:, rows] = log2_counts.T
        for top_k, of_half_life in zip(self._top_k, self._log2_counts, strict=False):
            top_k.replaced(of_half_life, rows)

    def _add(
        self,
        counts: NDArray[np.float64],
        rows: NDArray[np.intp],
        times: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.intp]:
        """Add events to `counts` (n_half_lives, n_rows). Returns the rows of those that have a weight."""
        if not weights.all():  # an event without weight leaves no trace
            is_counted = weights > 0
            rows, times, weights = rows[is_counted], times[is_counted], weights[is_counted]
        if len(rows):
            # An event at t adds 2 ** (t / half_life) to the sum; `values` divides the sum by 2 ** (now / half_life).
            log2_weights = np.log2(weights)
            for log2_counts, half_life in zip(counts, self.half_lives, strict=True):
                np.logaddexp2.at(log2_counts, rows, times / half_life + log2_weights)
        return rows

    def values(self, now: float, rows: NDArray[np.intp], indices: slice = slice(None)) -> NDArray[np.float64]:
        """(n_half_lives, n_rows) decayed counts of `rows` at `now`, for `half_lives[indices]`; 0 if below 1e-301."""
        values = self._log2_counts[indices].take(rows, axis=1)
        values -= (now / self.half_lives[indices])[:, None]
        is_positive = values > -_MAX_LOG2
        # The lower bound avoids subnormal numbers, for which exp2 takes 30 times as long; the upper one, overflow.
        np.clip(values, -_MAX_LOG2, _MAX_LOG2, out=values)
        np.exp2(values, out=values)
        values *= is_positive
        return values

    def log2_values(self, index: int, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n_rows,) log2 of the decayed counts for `half_lives[index]`, up to a term that all rows share.

        -inf for a row without an event. The values order and compare rows at any time.
        """
        values: NDArray[np.float64] = self._log2_counts[index, rows]
        return values

    def log2_counts(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n_half_lives, n_rows) the counts of `rows` at all half-lives, for `replace`."""
        return self._log2_counts[:, rows]

    def all_values(self, index: int, now: float) -> NDArray[np.float64]:
        """(n_rows,) decayed counts of all rows at `now`, for `half_lives[index]`."""
        values: NDArray[np.float64] = np.exp2(
            self._log2_counts[index, : self.rows] - now / self.half_lives[index]
        )
        return values

    def top_k(self, index: int, count: int, tie_breaks: NDArray[np.int64]) -> NDArray[np.intp]:
        """The `count` rows with the largest decayed counts for `half_lives[index]`, largest first.

        Of rows with equal counts, the one with the larger of `tie_breaks` (n_rows,) is first. `count` is at most
        `top_k_size`.
        """
        return self._top_k[index].first(self._log2_counts[index, : self.rows], count, tie_breaks)

    def array_tree(self, room: int) -> ArrayTree:
        """The counts, with at most `room` rows (see `from_tree`)."""
        return {
            "half_lives": self.half_lives,
            "log2_counts": self._log2_counts[:, :room],
        }

    @classmethod
    def from_tree(
        cls, tree: ArrayTree, half_lives: Sequence[float], rows: int, top_k_size: int = 0
    ) -> "DecayedCounters":
        """The inverse of `array_tree`, for so many rows. Raises ValueError, also for other half-lives."""
        counters = cls(half_lives, top_k_size)
        counts = array_of(tree, "log2_counts", np.float64, 2)
        check(
            np.array_equal(array_of(tree, "half_lives", np.float64), counters.half_lives)
            and len(counts) == len(counters.half_lives),
            "the half-lives are others",
        )
        check(counts.shape[1] >= rows, "counts of rows are missing")
        check(bool((counts < np.inf).all()), "a count is not a number")
        counters._log2_counts, counters.rows = counts, rows
        return counters
