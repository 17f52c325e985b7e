"""Which rows changed lately, so that a cache by row discards those and keeps the others."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

MAX_ROWS = 8192  # remembered; a cache that missed more computes all rows again


class ChangedRows:
    """Rows in order of their changes. `position` is the number of changes so far."""

    def __init__(self) -> None:
        self.position = 0
        self._changes: deque[NDArray[np.intp]] = deque()
        self._n_rows = 0

    def append(self, rows: NDArray[np.intp]) -> None:
        """Note one change of `rows`."""
        self.position += 1
        self._changes.append(rows)
        self._n_rows += len(rows)
        while self._n_rows > MAX_ROWS:
            self._n_rows -= len(self._changes.popleft())

    def since(self, position: int) -> NDArray[np.intp] | None:
        """The rows that changed after `position`, with repeats; None if they are no longer known."""
        missing = self.position - position
        if missing > len(self._changes):
            return None
        changes = [self._changes[-index] for index in range(missing, 0, -1)]
        return np.concatenate(changes) if changes else np.empty(0, np.intp)
