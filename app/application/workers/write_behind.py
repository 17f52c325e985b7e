"""Saves what requests produce off the request path: a bounded queue, and batches at a bounded rate."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from threading import Lock
from time import monotonic
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import structlog

from app.domain.errors import StorageUnavailable

log = structlog.get_logger()

IDLE_TO_BUSY_RATIO = 9  # pause after a statement, in multiples of its duration: requests have priority
MIN_PAUSE_SECONDS = 0.25
PAUSE_AFTER_ERROR_SECONDS = 1.0
CLEANUP_SECONDS = 600.0

Item = TypeVar("Item")


class WriteBehind(ABC, Generic[Item]):
    """A bounded queue of items to save. When it is full, the oldest item is dropped and counted.

    `batch_size` items are saved by one call of `_save`.
    """

    batch_size: ClassVar[int]

    def __init__(self, max_pending: int) -> None:
        self.dropped = 0
        self._max_pending = max_pending
        self._pending: OrderedDict[Hashable, Item] = OrderedDict()
        self._lock = Lock()
        self._saving = Lock()
        self._cleaned_at = monotonic()

    @property
    def pending(self) -> int:
        """Number of items that are not saved yet."""
        return len(self._pending)

    def discard(self, user_id: UUID) -> None:
        """Drop the pending items of a user; waits while a batch is being saved."""
        with self._saving, self._lock:
            for key in [key for key, item in self._pending.items() if self._user_of(item) == user_id]:
                del self._pending[key]

    def save_pending(self) -> float:
        """Save the next batch and, from time to time, clean up; return the next pause in seconds."""
        started_at = monotonic()
        try:
            if started_at - self._cleaned_at > CLEANUP_SECONDS:
                self._cleaned_at = started_at
                self._clean_up()
            self._save_batch()
            return max(MIN_PAUSE_SECONDS, IDLE_TO_BUSY_RATIO * (monotonic() - started_at))
        except StorageUnavailable:
            pass
        except Exception:  # one item that cannot be saved must not prevent the others
            log.exception("write_behind.save_failed", writer=type(self).__name__)
        return PAUSE_AFTER_ERROR_SECONDS

    def save_all(self, until: float) -> None:
        """Save all pending items, except those of a batch that fails. Gives up without a database, and at `until`.

        `until` is a time of the monotonic clock.
        """
        while self._pending and monotonic() < until:
            try:
                self._save_batch()
            except StorageUnavailable:
                return
            except Exception:
                log.exception("write_behind.save_failed", writer=type(self).__name__)

    def _put(self, key: Hashable, item: Item) -> None:
        """Queue an item; it replaces an older one with the same key. Returns at once."""
        with self._lock:
            self._pending[key] = item
            self._pending.move_to_end(key)
            if len(self._pending) > self._max_pending:
                self._pending.popitem(last=False)
                self.dropped += 1

    def _save_batch(self) -> None:
        with self._saving:
            with self._lock:
                count = min(len(self._pending), self.batch_size)
                batch = [self._pending.popitem(last=False)[1] for _ in range(count)]
            if batch:
                self._save(batch)

    @staticmethod
    @abstractmethod
    def _user_of(item: Item) -> UUID:
        """The user whom an item is about."""

    @abstractmethod
    def _save(self, items: Sequence[Item]) -> None:
        """Save items, all or none. Raises StorageUnavailable."""

    @abstractmethod
    def _clean_up(self) -> None:
        """Remove expired rows. Raises StorageUnavailable."""
