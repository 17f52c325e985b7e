"""The users for whom the use cases beside the feed answer: their UUIDs, and what ranks for them now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.application.live_feed import LiveFeed
from app.domain.services.clock import Clock
from app.domain.services.ranking_context import RankingContext


@dataclass(frozen=True, slots=True)
class Viewers:
    """Finds users in the feed.

    bring_back  reads the events of a user who is away into memory; raises StorageUnavailable. None without a database
    """

    feed: LiveFeed
    clock: Clock
    bring_back: Callable[[UUID], None] | None = None

    def user_id(self, given: str | None) -> UUID | None:
        """The UUID of a user; None is an unknown user. Raises InvalidId."""
        return None if given is None else self.feed.user_id(given)

    def is_away(self, user_id: UUID | None) -> bool:
        """True if only storage has the events of the user, and it can be read."""
        return self.bring_back is not None and user_id is not None and self.feed.needs_stored_events(user_id)

    def read_events(self, user_id: UUID | None) -> None:
        """Read the events of the user into memory, if they are away. Raises StorageUnavailable."""
        if self.bring_back is not None and user_id is not None and self.is_away(user_id):
            self.bring_back(user_id)

    def context(self, user_id: UUID | None, now: datetime) -> RankingContext:
        """What ranks for the user, without any excluded posts. The caller holds the lock of the feed."""
        state, user = self.feed.state, -1
        if user_id is not None:
            user = state.user_rows.get(user_id.bytes, -1)
        if user >= 0:
            state.requested[user] = now.timestamp()
        return RankingContext(state, user, now.timestamp(), public_only=self.feed.public_only)
