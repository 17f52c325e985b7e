"""Copies answers to `user_recommendation`, off the request path: the newest of each user, some at a time."""

import threading
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog

from app.application.dto import FeedAnswer
from app.domain.entities import Recommendation
from app.domain.errors import StorageUnavailable
from app.domain.repositories.recommendation_repository import Offered, RecommendationRepository
from app.domain.services.clock import Clock

log = structlog.get_logger()

_REST_SECONDS = 0.25  # between two statements, at least
_REST_SHARE = 9  # so many times as long as the last one took: copying is not to compete with answering
_AT_ONCE = 25  # answers in one statement
_CLEAN_EVERY_SECONDS = 600.0


class WriteBehind:
    """Takes answers at once and drops the oldest waiting one when there are too many."""

    def __init__(
        self, repository: RecommendationRepository, clock: Clock, life: timedelta, limit: int
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._life = life
        self._limit = limit
        self._waiting: OrderedDict[UUID, FeedAnswer] = OrderedDict()
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Users whose answer is not copied yet."""
        return len(self._waiting)

    def deliver(self, user_id: UUID, answer: FeedAnswer) -> None:
        """Keep the answer for copying; an older one of the same user is superseded."""
        with self._guard:
            self._waiting[user_id] = answer
            self._waiting.move_to_end(user_id)
            if len(self._waiting) > self._limit:
                self._waiting.popitem(last=False)
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
        pause = _REST_SECONDS
        while not self._stop.wait(pause):
            pause, began = _REST_SECONDS, monotonic()
            try:
                if began - cleaned > _CLEAN_EVERY_SECONDS:
                    cleaned = began
                    self._repository.remove_expired(self._clock.now())
                with self._guard:
                    count = min(len(self._waiting), _AT_ONCE)
                    answers = [self._waiting.popitem(last=False) for _ in range(count)]
                if answers:
                    self._repository.save([self._offered(*one) for one in answers])
                pause = max(_REST_SECONDS, _REST_SHARE * (monotonic() - began))
            except StorageUnavailable:
                pause = 1.0
            except Exception:  # a copy is not worth a thread
                log.exception("recommendations.copy_failed")
                pause = 1.0

    def _offered(self, user_id: UUID, answer: FeedAnswer) -> Offered:
        recommendations = [
            Recommendation(UUID(post_id), score, reason)
            for post_id, score, reason in zip(answer.post_ids, answer.scores, answer.reasons, strict=True)
        ]
        at = answer.generated_at
        return Offered(user_id, recommendations, at, at + self._life)
