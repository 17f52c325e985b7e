"""Engagement counts that fade: how hot something is now, at several half-lives at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import grow

NEVER = -np.inf
_EXTREME = 1000.0  # log2: what is colder is none, and only events to come are hotter


class DecayedCounters:
    """Per row and half-life h, the sum over its events of 0.5 ** (age / h).

    Kept as K = log2 sum 2 ** (t / h), which an event changes and time does not: heat at `now` is 2 ** (K - now / h),
    nothing overflows however long the feed, and the order of rows by heat is the order of K at any time.
    Events of a row are added one after the other whatever batches they come in, so the same events in the same
    order give the same bits.
    """

    def __init__(self, half_lives: Sequence[float], top_k_size: int = 0) -> None:
        """`half_lives` in seconds; so many hottest rows, `top_k_size`, are kept at hand for `top_k` once it was
        asked."""
        self.half_lives = np.asarray(half_lives, np.float64)
        self.rows = 0
        self._level = np.full((len(self.half_lives), 0), NEVER)
        self._ranked = top_k_size
        self._order: list[NDArray[np.intp] | None] = [None] * len(self.half_lives)
        self._floor = np.full(len(self.half_lives), np.inf)  # what is colder is not among them
        self._risen: list[list[NDArray[np.intp]]] = [[] for _ in self.half_lives]

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self._level = grow(self._level, rows, NEVER)
        self.rows = max(self.rows, rows)

    def add(self, rows: NDArray[np.intp], times: NDArray[np.float64]) -> None:
        """Count one event at `times[i]` (seconds since the epoch) for `rows[i]`, in order."""
        if not len(rows):
            return
        for level, half_life in zip(self._level, self.half_lives, strict=True):
            np.logaddexp2.at(level, rows, times / half_life)
        if all(order is None for order in self._order):
            return
        risen = self._level.take(rows, axis=1) >= self._floor[:, None]
        for column in np.flatnonzero(risen.any(axis=1)).tolist():
            self._risen[column].append(rows[risen[column]])
            if sum(map(len, self._risen[column])) > 4 * self._ranked:
                self._invalidate(column)

    def values(self, now: float, rows: NDArray[np.intp], columns: slice = slice(None)) -> NDArray[np.float64]:
        """Heat of `rows` at `now`, (n_half_lives, n_rows), 0 where less than 1e-301 is left; some `columns` of it."""
        level = self._level[columns].take(rows, axis=1)
        level -= (now / self.half_lives[columns])[:, None]
        warm = level > -_EXTREME
        # numbers too small to be written in full take thirty times as long
        np.maximum(level, -_EXTREME, out=level)
        np.minimum(level, _EXTREME, out=level)
        np.exp2(level, out=level)
        level *= warm
        return level

    def log2_values(self, index: int, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """log2 of heat at one half-life, up to a term that is the same for all rows: orders and compares them at any
        time. -inf where nothing ever happened."""
        level: NDArray[np.float64] = self._level[index, rows]
        return level

    def column(self, index: int, now: float) -> NDArray[np.float64]:
        """Heat of every row at one half-life, (n_rows,)."""
        heat: NDArray[np.float64] = np.exp2(self._level[index, : self.rows] - now / self.half_lives[index])
        return heat

    def top_k(self, index: int, count: int) -> NDArray[np.intp]:
        """The `count` rows with most heat at a half-life, hottest first (equal ones: the later row first).

        Exact: only a row with a new event can rise, so the last order of the `top_k_size` hottest and the rows that
        rose to the level of its last one hold them all. `count` must not exceed `top_k_size`.
        """
        order = self._order[index]
        if order is None or self._risen[index]:
            order = self._ordered(index)[: self._ranked]
            self._floor[index] = self._level[index, order[-1]] if len(order) == self._ranked else NEVER
            self._order[index], self._risen[index] = order, []
        return order[:count]

    def to_arrays(self) -> dict[str, Any]:
        """Plain arrays (see `from_arrays`)."""
        return {
            "half_lives": self.half_lives.copy(),
            "level": self._level[:, : self.rows].copy(),
            "ranked": self._ranked,
        }

    @classmethod
    def from_arrays(cls, saved: dict[str, Any]) -> "DecayedCounters":
        """The inverse of `to_arrays`."""
        heat = cls(saved["half_lives"], saved["ranked"])
        heat._level = saved["level"].copy()
        heat.rows = heat._level.shape[1]
        return heat

    def _invalidate(self, index: int) -> None:
        """Of what nobody asks for any more, and of what has changed too much to be worth mending."""
        self._order[index], self._risen[index], self._floor[index] = None, [], np.inf

    def _ordered(self, index: int) -> NDArray[np.intp]:
        """Rows among which the hottest are, hottest first."""
        level, last = self._level[index], self._order[index]
        if last is None:
            rows = np.flatnonzero(level[: self.rows] > NEVER)
            if len(rows) > self._ranked:
                cut = len(rows) - self._ranked
                rows = rows[level[rows] >= np.partition(level[rows], cut)[cut]]
        else:
            rose = np.concatenate(self._risen[index])
            place = np.full(self.rows, -1, np.int32)
            place[rose] = np.arange(len(rose))
            place[last] = -1
            rows = np.concatenate([last, rose[place[rose] == np.arange(len(rose))]])
            # nearly in order already, which a stable sort is quick with
            order = rows[np.argsort(-level[rows], kind="stable")]
            equal = level[order[1:]] == level[order[:-1]]
            if not (equal & (order[1:] > order[:-1])).any():
                return order
        latest = np.sort(rows)[::-1]
        return latest[np.argsort(-level[latest], kind="stable")]
