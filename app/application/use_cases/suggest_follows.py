"""Suggest users whom a user may want to follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from app.application.dto import Reason
from app.application.use_cases.unfinished import Unfinished
from app.application.viewers import Viewers
from app.domain.ranking.suggested_users import suggested_users
from app.domain.repositories.follow_repository import FollowRepository


@dataclass(frozen=True, slots=True)
class SuggestedUser:
    """One user. `external_id` is None if it is the UUID, or unknown because the database is away."""

    user_id: UUID
    score: float
    reason: Reason
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class SuggestFollows:
    """Suggests from memory. The database adds the ids that the users were given, and drops those who are gone."""

    viewers: Viewers
    follows: FollowRepository

    def __call__(
        self, user_id: str, limit: int
    ) -> Sequence[SuggestedUser] | Unfinished[Sequence[SuggestedUser]]:
        """At most `limit` users, best first; for an unknown user, popular authors. Raises InvalidId."""
        feed = self.viewers.feed
        in_memory = partial(self._suggested, feed.user_id(user_id), limit)
        if not feed.database_ok:
            return in_memory()
        return Unfinished(partial(self._complete, feed.user_id(user_id), limit), in_memory)

    def _complete(self, user_id: UUID, limit: int) -> Sequence[SuggestedUser]:
        self.viewers.read_events(user_id)
        suggested = self._suggested(user_id, limit)
        given = self.follows.external_ids([one.user_id for one in suggested])
        return [
            replace(one, external_id=None if given[one.user_id] == str(one.user_id) else given[one.user_id])
            for one in suggested
            if one.user_id in given
        ]

    def _suggested(self, user_id: UUID, limit: int) -> Sequence[SuggestedUser]:
        feed, now = self.viewers.feed, self.viewers.clock.now()
        with feed.lock:
            context = self.viewers.context(user_id, now)
            found = suggested_users(context, feed.ranker.pipeline, limit)
            ids = [UUID(bytes=context.state.user_key(row)) for row in found.rows.tolist()]
        return [SuggestedUser(*one) for one in zip(ids, found.values.tolist(), found.reasons, strict=True)]
