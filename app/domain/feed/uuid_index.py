"""Finding the rows of many UUIDs at once."""

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, Knuth's multiplicative hashing


def _mixed(keys: NDArray[np.void]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Each key's two halves (n, 2), and one number that represents both (n,)."""
    halves = np.ascontiguousarray(keys).view(np.uint64).reshape(-1, 2)
    return halves, halves[:, 0] ^ (halves[:, 1] * _ODD)


class UuidIndex:
    """Row numbers of distinct keys. O(n log n) to build, O(m log n) to look m keys up, all of it vectorised."""

    def __init__(self, keys: NDArray[np.void]) -> None:
        """`keys` (n,) of dtype V16, no key twice."""
        self._halves, mixed = _mixed(keys)
        self._order = np.argsort(mixed)
        self._sorted = mixed[self._order]
        # two keys of one mix: by chance once in 10^9 feeds, at will for who chooses ids; then only exact bytes do
        self._exact: dict[bytes, int] | None = None
        if (self._sorted[1:] == self._sorted[:-1]).any():
            self._exact = {key.tobytes(): row for row, key in enumerate(keys)}

    def rows(self, keys: NDArray[np.void]) -> NDArray[np.int32]:
        """(m,) row of each key, -1 where there is none."""
        if not len(self._sorted):
            return np.full(len(keys), -1, np.int32)
        if self._exact is not None:
            exact = self._exact
            return np.fromiter((exact.get(key.tobytes(), -1) for key in keys), np.int32, len(keys))
        halves, mixed = _mixed(keys)
        place = np.searchsorted(self._sorted, mixed)
        rows = self._order[np.minimum(place, len(self._sorted) - 1)]
        found = (self._halves[rows] == halves).all(axis=1)
        return np.where(found, rows, -1).astype(np.int32)


def uuid_keys_from_text(ids: list[str]) -> NDArray[np.void]:
    """UUIDs as PostgreSQL writes them, as a (n,) ``V16`` array."""
    return np.frombuffer(bytes.fromhex("".join(ids).replace("-", "")), dtype=KEY_DTYPE)
