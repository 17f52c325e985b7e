"""What is kept for a while: the oldest goes first, by its age, by number and by weight."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedMemory(Generic[V]):
    """Values by key, none older than `life`, no more than `most`, and together no heavier than `heaviest`.

    Times are handed in and do not fall. A value that is heavier than all may be is not kept.
    """

    def __init__(self, life: timedelta, most: int, heaviest: int) -> None:
        self._life, self._most, self._heaviest = life, most, heaviest
        self._kept: OrderedDict[object, tuple[datetime, int, V]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: object, at: datetime, weight: int, value: V) -> None:
        """Keep a value that was made at `at`. One of the same key and time is replaced where it stands."""
        self._drop_older(at)
        before = self._kept.get(key)
        if before is not None:
            self._weight -= before[1]
            if before[0] != at:
                del self._kept[key]
        self._kept[key] = (at, weight, value)
        self._weight += weight
        while self._kept and (len(self._kept) > self._most or self._weight > self._heaviest):
            self._drop_oldest()

    def get(self, key: object, now: datetime) -> V | None:
        """The value, if it is kept and not too old; what is too old is let go of, whatever is asked for."""
        self._drop_older(now)
        found = self._kept.get(key)
        return None if found is None else found[2]

    def clear(self) -> None:
        """Keep nothing of what was there."""
        self._kept.clear()
        self._weight = 0

    def _drop_older(self, now: datetime) -> None:
        while self._kept and now - next(iter(self._kept.values()))[0] > self._life:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, weight, _) = self._kept.popitem(last=False)
        self._weight -= weight
