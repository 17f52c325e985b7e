"""A bound on the time of work that is repeated."""

from collections.abc import Callable
from time import perf_counter


class TimeBudget:
    """Allows another round while it can end in time, if it takes as long as the longest round so far."""

    def __init__(self, seconds: float, clock: Callable[[], float] = perf_counter) -> None:
        self._seconds, self._clock = seconds, clock
        self._began = self._last = clock()
        self._longest = 0.0

    def allows_another(self) -> bool:
        """Call this once after each round."""
        now = self._clock()
        self._longest, self._last = max(self._longest, now - self._last), now
        return now - self._began + self._longest <= self._seconds
