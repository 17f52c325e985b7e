"""Finding the rows of many UUIDs at once."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE


class UuidIndex:
    """Row numbers of distinct keys. O(n log n) to build, O(m log n) to look m keys up, all of it vectorised."""

    def __init__(self, keys: NDArray[np.void]) -> None:
        """`keys` (n,) of dtype V16, no key twice."""
        self._order = np.argsort(keys).astype(np.int32)
        self._sorted = keys[self._order]

    def rows(self, keys: NDArray[np.void]) -> NDArray[np.int32]:
        """(m,) row of each key, -1 where there is none."""
        if not len(self._sorted):
            return np.full(len(keys), -1, np.int32)
        place = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[place] == keys, self._order[place], np.int32(-1))


def uuid_keys_from_text(ids: list[str]) -> NDArray[np.void]:
    """UUIDs as PostgreSQL writes them, as a (n,) ``V16`` array."""
    return np.frombuffer(bytes.fromhex("".join(ids).replace("-", "")), dtype=KEY_DTYPE)
