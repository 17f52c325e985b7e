"""Port: who follows whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FollowChange:
    """A committed follow, or its end.

    follows  whether `follower_id` follows `followee_id` from now on
    seq      number of the change in the outbox (see FeedChanges.follow_seqs); None if it was so before
    """

    follower_id: UUID
    followee_id: UUID
    follows: bool
    seq: int | None


class FollowRepository(Protocol):
    """The follows of users."""

    def followed_by(self, user_id: UUID, limit: int) -> Sequence[UUID]:
        """The first `limit` users whom a user follows, in order of UUID. Raises StorageUnavailable."""

    def external_ids(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The given id of each of the users who exist; the UUID of a user without one. Raises StorageUnavailable."""

    def set_follow(self, follower_id: UUID, followee_id: UUID, *, follows: bool) -> FollowChange:
        """Commit that one user follows another, or does not; returns after the commit. Repeating it changes nothing.

        Raises UnknownUser naming the id, ManagedElsewhere if another application stores the follows, and
        StorageUnavailable.
        """
