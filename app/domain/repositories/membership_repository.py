"""Port: who is a member of which audience."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.domain.entities import User


@dataclass(frozen=True, slots=True)
class UserChange:
    """A user after a committed change of their memberships.

    seq  number of the change in the outbox (see FeedChanges.user_seqs); None if it was so before
    """

    user: User
    seq: int | None


class MembershipRepository(Protocol):
    """The members of audiences, written."""

    def set_membership(self, user_id: UUID, audience_id: str, *, is_member: bool) -> UserChange:
        """Commit that a user is a member of an audience, or is not; returns after the commit.

        Repeating it changes nothing. Raises UnknownUser naming the id, ManagedElsewhere if another application stores
        the memberships, and StorageUnavailable.
        """
