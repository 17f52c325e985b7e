"""Remove events of users from the log; the next response of this process no longer counts them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.entities import InteractionType
from app.domain.errors import UnknownPost, UnknownUser
from app.domain.repositories.interaction_repository import InteractionRepository, RemovedEvents


@dataclass(frozen=True, slots=True)
class Retraction:
    """Which events of a user to take back: all of a type with a post, or the one with an `event_id`.

    Either `event_id` is given, or `post_id` and `interaction_type` are.
    """

    user_id: str
    post_id: str | None = None
    interaction_type: InteractionType | None = None
    event_id: UUID | None = None


@dataclass(eq=False)
class RetractInteraction:
    """Remove events, then hand them to `apply`, which takes them back in memory at once."""

    repository: InteractionRepository
    apply: Callable[[Sequence[RemovedEvents]], None]
    ids: IdResolver

    def __call__(self, retraction: Retraction) -> int:
        """The number of removed events; returns after the commit. Nothing to remove is no error.

        Raises InvalidId, UnknownUser, UnknownPost, StorageUnavailable.
        """
        removed = self._remove(retraction)
        if removed is None:
            return 0
        apply_committed(self.apply, [removed], "retraction.not_applied", events=len(removed.seqs))
        return len(removed.seqs)

    def _remove(self, retraction: Retraction) -> RemovedEvents | None:
        user_id = self.ids.user_id(retraction.user_id)
        try:
            if retraction.event_id is not None:
                return self.repository.retract_event(user_id, retraction.event_id)
            assert retraction.post_id is not None
            assert retraction.interaction_type is not None
            post_id = self.ids.post_id(retraction.post_id)
            return self.repository.retract(user_id, post_id, retraction.interaction_type)
        except UnknownUser as error:
            raise UnknownUser(retraction.user_id) from error
        except UnknownPost as error:
            raise UnknownPost(str(retraction.post_id)) from error
