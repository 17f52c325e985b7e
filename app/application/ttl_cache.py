"""What is kept for a while: the oldest goes first, by its age, by number and by weight."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

V = TypeVar("V")


class TtlCache(Generic[V]):
    """Values by key, none older than `ttl`, no more than `max_items`, and together no heavier than `max_weight`.

    Times are handed in and do not fall. A value that is heavier than all may be is not kept.
    """

    def __init__(self, ttl: timedelta, max_items: int, max_weight: int) -> None:
        self._ttl, self._max_items, self._max_weight = ttl, max_items, max_weight
        self._items: OrderedDict[object, tuple[datetime, int, V]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, key: object, now: datetime, weight: int, value: V) -> None:
        """Keep a value that was made at `now`. One of the same key and time is replaced where it stands."""
        self._drop_older(now)
        before = self._items.get(key)
        if before is not None:
            self._weight -= before[1]
            if before[0] != now:
                del self._items[key]
        self._items[key] = (now, weight, value)
        self._weight += weight
        while self._items and (len(self._items) > self._max_items or self._weight > self._max_weight):
            self._drop_oldest()

    def get(self, key: object, now: datetime) -> V | None:
        """The value, if it is kept and not too old; what is too old is let go of, whatever is asked for."""
        self._drop_older(now)
        found = self._items.get(key)
        return None if found is None else found[2]

    def clear(self) -> None:
        """Keep nothing of what was there."""
        self._items.clear()
        self._weight = 0

    def _drop_older(self, now: datetime) -> None:
        while self._items and now - next(iter(self._items.values()))[0] > self._ttl:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, weight, _) = self._items.popitem(last=False)
        self._weight -= weight
