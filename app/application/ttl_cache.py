"""A cache bounded by age, number of items and total weight; the oldest item is evicted first."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import timedelta
from typing import Generic, TypeVar

V = TypeVar("V")


class TtlCache(Generic[V]):
    """Items by key. The caller passes the time in seconds of a monotonic clock.

    An item that alone exceeds `max_weight` is not cached. Unlike `cachetools.TTLCache`, it bounds number and weight at
    once, and a value that is put again does not get younger.
    """

    def __init__(self, ttl: timedelta, max_items: int, max_weight: int) -> None:
        self._ttl_seconds = ttl.total_seconds()
        self._max_items = max_items
        self._max_weight = max_weight
        self._items: OrderedDict[Hashable, tuple[float, int, V]] = OrderedDict()  # oldest first
        self._weight = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, key: Hashable, now: float, weight: int, value: V) -> None:
        """Add or replace an item. The value that was there, now of another weight, keeps its age and its place."""
        self._evict_expired(now)
        created_at, previous = now, self._items.get(key)
        if previous is not None:
            self._weight -= previous[1]
            if previous[2] is value:
                created_at = previous[0]
            else:
                del self._items[key]
        self._items[key] = (created_at, weight, value)
        self._weight += weight
        while self._items and (len(self._items) > self._max_items or self._weight > self._max_weight):
            self._evict_oldest()

    def get(self, key: Hashable, now: float) -> V | None:
        """Evict all expired items, then return the item of `key`; None if there is none."""
        self._evict_expired(now)
        item = self._items.get(key)
        return None if item is None else item[2]

    def clear(self) -> None:
        """Remove all items."""
        self._items.clear()
        self._weight = 0

    def _evict_expired(self, now: float) -> None:
        while self._items and now - next(iter(self._items.values()))[0] > self._ttl_seconds:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        _, (_, weight, _) = self._items.popitem(last=False)
        self._weight -= weight
