"""Copies answers to `user_recommendation`, off the request path: the newest of each user, some at a time."""

import threading
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog

from app.application.dto import RecommendationResponse
from app.domain.entities import Recommendation
from app.domain.errors import StorageUnavailable
from app.domain.repositories.recommendation_repository import RecommendationRepository, SavedRecommendations
from app.domain.services.clock import Clock

log = structlog.get_logger()

_IDLE_SECONDS = 0.25  # between two statements, at least
_IDLE_TO_BUSY_RATIO = (
    9  # so many times as long as the last one took: copying is not to compete with answering
)
_BATCH_SIZE = 25  # answers in one statement
_CLEAN_EVERY_SECONDS = 600.0


class WriteBehind:
    """Takes answers at once and drops the oldest waiting one when there are too many."""

    def __init__(
        self, repository: RecommendationRepository, clock: Clock, ttl: timedelta, limit: int
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._ttl = ttl
        self._limit = limit
        self._pending: OrderedDict[UUID, RecommendationResponse] = OrderedDict()
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def pending(self) -> int:
        """Users whose answer is not copied yet."""
        return len(self._pending)

    def enqueue(self, user_id: UUID, answer: RecommendationResponse) -> None:
        """Keep the answer for copying; an older one of the same user is superseded."""
        with self._guard:
            self._pending[user_id] = answer
            self._pending.move_to_end(user_id)
            if len(self._pending) > self._limit:
                self._pending.popitem(last=False)
                self.dropped += 1

    def open(self) -> None:
        """Begin to copy."""
        self._thread = threading.Thread(target=self._copy, name="write-behind", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what still waits is given up, it is a copy."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _copy(self) -> None:
        cleaned = monotonic()
        pause = _IDLE_SECONDS
        while not self._stop.wait(pause):
            pause, began = _IDLE_SECONDS, monotonic()
            try:
                if began - cleaned > _CLEAN_EVERY_SECONDS:
                    cleaned = began
                    self._repository.remove_expired(self._clock.now())
                with self._guard:
                    count = min(len(self._pending), _BATCH_SIZE)
                    answers = [self._pending.popitem(last=False) for _ in range(count)]
                if answers:
                    self._repository.save([self._offered(*one) for one in answers])
                pause = max(_IDLE_SECONDS, _IDLE_TO_BUSY_RATIO * (monotonic() - began))
            except StorageUnavailable:
                pause = 1.0
            except Exception:  # a copy is not worth a thread
                log.exception("recommendations.copy_failed")
                pause = 1.0

    def _offered(self, user_id: UUID, answer: RecommendationResponse) -> SavedRecommendations:
        recommendations = [
            Recommendation(UUID(post_id), score, reason)
            for post_id, score, reason in zip(answer.post_ids, answer.scores, answer.reasons, strict=True)
        ]
        at = answer.generated_at
        return SavedRecommendations(user_id, recommendations, at, at + self._ttl)
