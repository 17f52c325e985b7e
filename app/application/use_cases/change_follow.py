"""Let users follow each other, and end it."""

from collections.abc import Callable
from dataclasses import dataclass

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.errors import InvalidFollow, UnknownUser
from app.domain.repositories.follow_repository import FollowChange, FollowRepository


@dataclass(frozen=True, slots=True)
class Follow:
    """What one user wants: to follow another user, or (`follows` false) to follow them no longer.

    Ids are in the caller's spelling.
    """

    user_id: str
    followee_id: str
    follows: bool = True


@dataclass(eq=False)
class ChangeFollow:
    """Commit a follow or its end, then hand it to `apply`, which makes it hold in memory at once."""

    repository: FollowRepository
    apply: Callable[[FollowChange], None]
    ids: IdResolver

    def __call__(self, follow: Follow) -> None:
        """Returns after the commit.

        Raises InvalidId, InvalidFollow, UnknownUser, ManagedElsewhere, StorageUnavailable.
        """
        user_id, followee_id = self.ids.user_id(follow.user_id), self.ids.user_id(follow.followee_id)
        if user_id == followee_id:
            raise InvalidFollow(f"{follow.user_id}: users cannot follow themselves; name another user")
        try:
            change = self.repository.set_follow(user_id, followee_id, follows=follow.follows)
        except UnknownUser as error:
            given = follow.user_id if str(error) == str(user_id) else follow.followee_id
            raise UnknownUser(given) from error
        apply_committed(self.apply, change, "follow.not_applied")
