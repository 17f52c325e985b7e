"""Saves the pages that were shown to users, off the request path."""

from collections.abc import Hashable, Sequence
from math import inf
from uuid import UUID

import structlog

from app.application.workers.write_behind import WriteBehind
from app.domain.entities import Impression
from app.domain.repositories.impression_repository import ImpressionRepository

log = structlog.get_logger()


class ImpressionWriter(WriteBehind[Impression]):
    """The queue of pages. A page that cannot be saved is dropped and counted."""

    batch_size = 200

    def __init__(self, repository: ImpressionRepository, keep_days: int, max_pending: int) -> None:
        super().__init__(max_pending)
        self._repository = repository
        self._keep_days = keep_days
        self._cleaned_at = -inf  # the first clean-up creates the partitions of these days

    def enqueue(self, impression: Impression) -> None:
        """Queue a page; the same page of the same response is stored once. Returns at once."""
        self._put(_key(impression), impression)

    def flush(self, user_id: UUID, request_id: str) -> None:
        """Save the pages of a response that are pending, and wait for those that are being saved.

        Raises StorageUnavailable.
        """
        with self._saving:
            with self._lock:
                batch = [
                    page
                    for page in self._pending.values()
                    if (page.user_id, page.request_id) == (user_id, request_id)
                ]
                for page in batch:
                    self._pending.pop(_key(page))
            if batch:
                self._save(batch)

    @staticmethod
    def _user_of(item: Impression) -> UUID:
        return item.user_id

    def _save(self, items: Sequence[Impression]) -> None:
        try:
            self.dropped += self._repository.save(items)
        except Exception:
            self.dropped += len(items)
            raise

    def _clean_up(self) -> None:
        dropped = self._repository.maintain(self._keep_days)
        if dropped:
            log.info("impressions.purged", days=dropped)


def _key(page: Impression) -> Hashable:
    return page.user_id, page.request_id, page.shown_at
