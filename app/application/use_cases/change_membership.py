"""Let users join and leave audiences."""

from collections.abc import Callable
from dataclasses import dataclass

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.errors import UnknownUser
from app.domain.ids import checked_id
from app.domain.repositories.membership_repository import MembershipRepository, UserChange


@dataclass(frozen=True, slots=True)
class Membership:
    """A user joins an audience, or (`is_member` false) leaves it. Ids are in the caller's spelling."""

    audience_id: str
    user_id: str
    is_member: bool = True


@dataclass(eq=False)
class ChangeMembership:
    """Commit a membership or its end, then hand the user to `apply`, which makes it hold in memory at once."""

    repository: MembershipRepository
    apply: Callable[[UserChange], None]
    ids: IdResolver

    def __call__(self, membership: Membership) -> None:
        """Returns after the commit. Raises InvalidId, UnknownUser, ManagedElsewhere, StorageUnavailable."""
        user_id = self.ids.user_id(membership.user_id)
        audience_id = checked_id("audience", membership.audience_id)
        try:
            change = self.repository.set_membership(user_id, audience_id, is_member=membership.is_member)
        except UnknownUser as error:
            raise UnknownUser(membership.user_id) from error
        apply_committed(self.apply, change, "membership.not_applied")
