"""Port: stores a copy of the responses, which other applications can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SavedRecommendations:
    """The recommendations of one user, and the time at which they expire.

    post_ids  UUIDs of the posts as text
    scores    one for each post
    """

    user_id: UUID
    post_ids: Sequence[str]
    scores: Sequence[float]
    generated_at: datetime
    expires_at: datetime


class RecommendationRepository(Protocol):
    """`user_recommendation`: each user's last recommendations, with their time to live."""

    def save(self, recommendations: Sequence[SavedRecommendations]) -> None:
        """Insert or refresh one row per user and post, all or none. If a user occurs twice, the last entry counts.

        Users or posts that no longer exist are skipped without an error. Raises StorageUnavailable.
        """

    def remove_expired(self, now: datetime) -> int:
        """Delete rows whose life ended before `now`; returns how many. Raises StorageUnavailable."""
