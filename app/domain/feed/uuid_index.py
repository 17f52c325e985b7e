"""Finding the rows of UUIDs, without a Python object for each."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from secrets import randbits
from struct import Struct
from typing import Any, Final, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check, check_range
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.ragged import grow

Keys = NDArray[np.void]
T = TypeVar("T")

_EMPTY: Final = -1
_REMOVED: Final = -2
_MIN_SLOTS_PER_KEY: Final = 1.5
_NEW_SLOTS_PER_KEY: Final = 1.875  # the table grows by a quarter
_KEYS_PER_STEP: Final = 1 << 16
_MAX_RECENT_KEYS: Final = 1 << 14
_FEW_KEYS: Final = 8  # for which Python takes less time than numpy
# Strongly universal hashing of four 32-bit words (M. Dietzfelbinger, "Universal hashing and k-wise independent random
# variables via integer arithmetic without primes", STACS 1996). Users may choose UUIDs, but do not know these numbers.
_MULTIPLIERS: Final = tuple(randbits(64) for _ in range(4))
_SUMMAND: Final = randbits(64)
_WORDS: Final = Struct("<4I")


class UuidIndex(Mapping[bytes, int]):
    """Rows by UUID (16 bytes), in order of rows: a hash table with open addressing and linear probing.

    A key takes 16 bytes and 1.5 to 1.9 slots of 4 bytes. Requests may read while `reserve` runs in another thread. The
    rows of recent keys are in a dict as well: an event looks up its user and post about ten times, and a look into the
    table takes 4 us. Without it, events are applied in 1.9 x the time.

    by_row  (n_rows,) the key of each row, dtype V16; rows may have keys that the index does not contain
    """

    def __init__(self, keys: Keys | None = None) -> None:
        """`keys` (n,), no key twice, are those of the rows 0 to n - 1."""
        self.by_row: Keys = np.zeros(0, KEY_DTYPE) if keys is None else np.ascontiguousarray(keys)
        self._slots = np.full(8, _EMPTY, np.int32)
        self._length = 0
        self._used = 0  # slots of keys and of removed keys
        self._recent: dict[bytes, int] = {}
        self._insert(np.arange(len(self.by_row)))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.by_row[self.present()].tolist())

    def __getitem__(self, key: bytes) -> int:
        row = self.get(key)
        if row is None:
            raise KeyError(key)
        return row

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.get(key) is not None

    @overload
    def get(self, key: bytes, default: None = None, /) -> int | None: ...
    @overload
    def get(self, key: bytes, default: int | T, /) -> int | T: ...
    def get(self, key: bytes, default: Any = None, /) -> Any:
        """The row of a key."""
        recent = self._recent
        row = recent.get(key)
        if row is None:
            slot = self._slot_of(key)
            if slot is None:
                return default
            if len(recent) >= _MAX_RECENT_KEYS:
                recent.clear()
            row = recent[key] = self._slots.item(slot)
        return row

    def rows(self, keys: Keys) -> NDArray[np.int32]:
        """(n,) the row of each key, -1 where there is none."""
        parts = [np.empty(0, np.int32)]
        for some in _steps(keys):
            slots = self._slots_of(some)
            parts.append(np.where(slots >= 0, self._slots.take(slots), np.int32(-1)))
        return np.concatenate(parts)

    def key(self, row: int) -> bytes:
        """The key of a row."""
        key: bytes = self.by_row[row].tobytes()
        return key

    def present(self) -> NDArray[np.intp]:
        """(n,) the rows of all keys, ascending."""
        return _present(self._slots)

    def reserve(self, rows: int, keys: int) -> None:
        """Make room for rows 0..`rows` - 1 and for so many keys. It changes no row."""
        self.by_row = grow(self.by_row, rows)
        used = keys + self._used - self._length
        if used * _MIN_SLOTS_PER_KEY > len(self._slots):
            slots = np.full(int(keys * _NEW_SLOTS_PER_KEY) + 8, _EMPTY, np.int32)
            _fill(slots, self.by_row, self.present())
            self._slots, self._used = slots, self._length

    def add(self, keys: Keys, rows: NDArray[np.integer[Any]]) -> None:
        """Give `keys` (n,), none of which is in the index, their rows."""
        if len(keys):
            self.by_row = grow(self.by_row, int(rows.max()) + 1)
            self.by_row[rows] = keys
            self._insert(rows)

    def pop(self, key: bytes) -> int | None:
        """Remove a key, if it is there. Returns its row, which keeps the key in `by_row`."""
        slot = self._slot_of(key)
        if slot is None:
            return None
        row = self._slots.item(slot)
        self._slots[slot] = _REMOVED
        self._recent.pop(key, None)
        self._length -= 1
        return row

    def remove(self, keys: Keys) -> None:
        """Remove `keys` (n,), all of which are in the index. Their rows keep them in `by_row`."""
        for some in _steps(keys):
            self._slots[self._slots_of(some)] = _REMOVED
        self._recent.clear()
        self._length -= len(keys)

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the keys only: another process hashes with other numbers."""
        return UuidIndex.from_tree, ({"key": self.by_row, "row": self.present()},)

    def copy(self) -> "UuidIndex":
        """Another index with the same rows, which later changes do not alter."""
        copied = UuidIndex()
        copied.by_row, copied._slots = self.by_row.copy(), self._slots.copy()
        copied._length, copied._used = self._length, self._used
        return copied

    def array_tree(self, rows: int) -> ArrayTree:
        """The keys of the first `rows` rows, and the rows of the keys in the index (see `from_tree`)."""
        return {"key": self.by_row[:rows], "row": partial(_present, self._slots.copy())}

    @classmethod
    def from_tree(cls, tree: ArrayTree) -> "UuidIndex":
        """The inverse of `array_tree`. Raises ValueError."""
        index, rows = cls(), array_of(tree, "row", np.int64)
        index.by_row = array_of(tree, "key", KEY_DTYPE)
        check_range(rows, 0, len(index.by_row), "rows of keys")
        check(index._insert(rows), "a key is there twice")
        return index

    def _insert(self, rows: NDArray[np.integer[Any]]) -> bool:
        """Add the keys that `by_row` has for `rows`. Returns false if a key is there twice then."""
        self.reserve(len(self.by_row), self._length + len(rows))
        are_distinct = _fill(self._slots, self.by_row, rows)
        self._length += len(rows)
        self._used += len(rows)
        return are_distinct

    def _slot_of(self, key: bytes) -> int | None:
        """The slot of a key; None if the key is not there."""
        if len(key) != KEY_DTYPE.itemsize:
            return None
        slots = self._slots
        slot = _first_slot(key, len(slots))
        while (row := slots.item(slot)) != _EMPTY:
            if row >= 0 and self.by_row[row].tobytes() == key:
                return slot
            slot = (slot + 1) % len(slots)
        return None

    def _slots_of(self, keys: Keys) -> NDArray[np.intp]:
        """(n,) the slot of each key, -1 where there is none."""
        slots, known, halves = self._slots, _halves(self.by_row), _halves(keys)
        found = np.full(len(keys), -1)
        left = np.arange(len(keys))
        slot = _first_slots(keys, len(slots))
        while len(left):
            row = slots[slot]
            is_match = row >= 0
            is_match[is_match] = (known[row[is_match]] == halves[left[is_match]]).all(axis=1)
            found[left[is_match]] = slot[is_match]
            goes_on = (row != _EMPTY) & ~is_match
            left, slot = left[goes_on], (slot[goes_on] + 1) % len(slots)
        return found


def _fill(slots: NDArray[np.int32], by_row: Keys, rows: NDArray[np.integer[Any]]) -> bool:
    """Give each of `rows` the first free slot at or behind that of its key.

    Returns false if the key of one is that of a row in the slots before. Removed rows are not looked at.
    """
    are_distinct = True
    if len(rows) <= _FEW_KEYS:
        for row in rows.tolist():
            key = by_row[row].tobytes()
            free = _first_slot(key, len(slots))
            while (other := slots.item(free)) != _EMPTY:
                are_distinct &= other < 0 or by_row[other].tobytes() != key
                free = (free + 1) % len(slots)
            slots[free] = row
        return are_distinct
    halves = _halves(by_row)
    for some in _steps(rows):
        left = some.astype(np.int32)
        slot = _first_slots(by_row[left], len(slots))
        while len(left):
            is_free = slots[slot] == _EMPTY
            slots[slot[is_free]] = left[is_free]  # of several rows, the last one gets the slot
            holder = slots[slot]
            has_none = holder != left
            left, slot, holder = left[has_none], (slot[has_none] + 1) % len(slots), holder[has_none]
            alike = np.flatnonzero((halves[holder, 0] == halves[left, 0]) & (holder >= 0))
            are_distinct &= not (halves[holder[alike], 1] == halves[left[alike], 1]).any()
    return are_distinct


def _steps(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of an array, so that what is computed of each takes little memory."""
    return (array[start : start + _KEYS_PER_STEP] for start in range(0, len(array), _KEYS_PER_STEP))


def _present(slots: NDArray[np.int32]) -> NDArray[np.intp]:
    rows = slots[slots >= 0]
    rows.sort()
    return rows.astype(np.intp)


def _first_slot(key: bytes, n_slots: int) -> int:
    """The slot of a key by its hash."""
    (one, two, three, four), (a, b, c, d) = _WORDS.unpack(key), _MULTIPLIERS
    hash_: int = (one * a + two * b + three * c + four * d + _SUMMAND) >> 32 & 0xFFFFFFFF
    return hash_ * n_slots >> 32


def _first_slots(keys: Keys, n_slots: int) -> NDArray[np.intp]:
    """(n,) `_first_slot` of each key."""
    words = np.ascontiguousarray(keys).view("<u4").reshape(-1, 4).astype(np.uint64)
    mixed = words @ np.array(_MULTIPLIERS, np.uint64) + np.uint64(_SUMMAND)
    slots: NDArray[np.intp] = (((mixed >> np.uint64(32)) * np.uint64(n_slots)) >> np.uint64(32)).astype(
        np.intp
    )
    return slots


def _halves(keys: Keys) -> NDArray[np.uint64]:
    """(n, 2) the two 64-bit words of each key."""
    return np.ascontiguousarray(keys).view(np.uint64).reshape(-1, 2)


def uuid_keys_from_text(ids: Sequence[str]) -> Keys:
    """UUIDs as PostgreSQL writes them, as a (n,) ``V16`` array."""
    return np.frombuffer(bytes.fromhex("".join(ids).replace("-", "")), dtype=KEY_DTYPE)


def uuid_texts(keys: Keys) -> list[str]:
    """The inverse of `uuid_keys_from_text`."""
    h = keys.tobytes().hex()
    return [
        f"{h[i : i + 8]}-{h[i + 8 : i + 12]}-{h[i + 12 : i + 16]}-{h[i + 16 : i + 20]}-{h[i + 20 : i + 32]}"
        for i in range(0, len(h), 32)
    ]
