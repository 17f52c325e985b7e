"""Saves served recommendations to `user_recommendation` off the request path: the newest response of each user."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.application.dto import RecommendationResponse
from app.application.workers.write_behind import WriteBehind
from app.domain.repositories.recommendation_repository import RecommendationRepository, SavedRecommendations
from app.domain.services.clock import Clock

UserResponse = tuple[UUID, RecommendationResponse]


class RecommendationWriter(WriteBehind[UserResponse]):
    """The queue of responses; a newer response replaces an older one of the same user."""

    batch_size = 25

    def __init__(
        self, repository: RecommendationRepository, clock: Clock, ttl: timedelta, max_pending: int
    ) -> None:
        super().__init__(max_pending)
        self._repository = repository
        self._clock = clock
        self._ttl = ttl

    def enqueue(self, user_id: UUID, response: RecommendationResponse) -> None:
        """Queue the response. Returns at once."""
        self._put(user_id, (user_id, response))

    @staticmethod
    def _user_of(item: UserResponse) -> UUID:
        return item[0]

    def _save(self, items: Sequence[UserResponse]) -> None:
        self._repository.save([self._to_rows(user_id, response) for user_id, response in items])

    def _clean_up(self) -> None:
        self._repository.remove_expired(self._clock.now())

    def _to_rows(self, user_id: UUID, response: RecommendationResponse) -> SavedRecommendations:
        generated_at, expires_at = response.generated_at, response.generated_at + self._ttl
        return SavedRecommendations(user_id, response.post_ids, response.scores, generated_at, expires_at)
