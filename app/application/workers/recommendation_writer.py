"""Saves served recommendations to `user_recommendation` off the request path: the newest response of each user."""

from collections import OrderedDict
from datetime import timedelta
from threading import Lock
from time import monotonic
from uuid import UUID

import structlog

from app.application.dto import RecommendationResponse
from app.domain.entities import Recommendation
from app.domain.errors import StorageUnavailable
from app.domain.repositories.recommendation_repository import RecommendationRepository, SavedRecommendations
from app.domain.services.clock import Clock

log = structlog.get_logger()

BATCH_SIZE = 25  # responses in one statement
IDLE_TO_BUSY_RATIO = 9  # pause after a statement, in multiples of its duration: requests have priority
MIN_PAUSE_SECONDS = 0.25
PAUSE_AFTER_ERROR_SECONDS = 1.0
CLEANUP_SECONDS = 600.0


class WriteBehind:
    """A bounded queue of responses to save. When it is full, the oldest response is dropped and counted."""

    def __init__(
        self, repository: RecommendationRepository, clock: Clock, ttl: timedelta, max_pending: int
    ) -> None:
        self.dropped = 0
        self._repository = repository
        self._clock = clock
        self._ttl = ttl
        self._max_pending = max_pending
        self._pending: OrderedDict[UUID, RecommendationResponse] = OrderedDict()
        self._lock = Lock()
        self._cleaned_at = monotonic()

    @property
    def pending(self) -> int:
        """Number of users whose newest response is not saved yet."""
        return len(self._pending)

    def enqueue(self, user_id: UUID, response: RecommendationResponse) -> None:
        """Queue the response; it replaces an older one of the same user. Returns at once."""
        with self._lock:
            self._pending[user_id] = response
            self._pending.move_to_end(user_id)
            if len(self._pending) > self._max_pending:
                self._pending.popitem(last=False)
                self.dropped += 1

    def save_pending(self) -> float:
        """Save the next batch and, from time to time, remove expired rows; return the next pause in seconds."""
        started_at = monotonic()
        try:
            if started_at - self._cleaned_at > CLEANUP_SECONDS:
                self._cleaned_at = started_at
                self._repository.remove_expired(self._clock.now())
            self._save_batch()
            return max(MIN_PAUSE_SECONDS, IDLE_TO_BUSY_RATIO * (monotonic() - started_at))
        except StorageUnavailable:
            pass
        except Exception:  # one response that cannot be saved must not prevent the others
            log.exception("recommendations.save_failed")
        return PAUSE_AFTER_ERROR_SECONDS

    def _save_batch(self) -> None:
        with self._lock:
            count = min(len(self._pending), BATCH_SIZE)
            batch = [self._pending.popitem(last=False) for _ in range(count)]
        if batch:
            self._repository.save([self._to_rows(user_id, response) for user_id, response in batch])

    def _to_rows(self, user_id: UUID, response: RecommendationResponse) -> SavedRecommendations:
        recommendations = [
            Recommendation(UUID(post_id), score, reason)
            for post_id, score, reason in zip(
                response.post_ids, response.scores, response.reasons, strict=True
            )
        ]
        generated_at = response.generated_at
        return SavedRecommendations(user_id, recommendations, generated_at, generated_at + self._ttl)
