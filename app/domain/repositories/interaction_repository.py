"""Port: recording what users did, and taking it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.entities import Interaction, InteractionType
from app.domain.errors import DomainError
from app.domain.feed.dataset import KeyedEvents

UserAndPost = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class StoredInteraction:
    """An event in the append-only log.

    seq          its number
    xid          the transaction that wrote it
    received_at  when that transaction began
    """

    seq: int
    xid: int
    received_at: datetime
    interaction: Interaction


StoredPairs = Mapping[UserAndPost, Sequence[StoredInteraction]]
"""Events by their user and post, in the order of their numbers."""
NO_PAIRS: StoredPairs = {}


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What one call added: the new events, and how many were already there (same `event_id`).

    rejected  places of the events that were not stored, in a call that stores the others
    """

    stored: tuple[StoredInteraction, ...]
    duplicates: int
    rejected: Mapping[int, DomainError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemovedEvents:
    """Events of one user with one post that were removed from the log.

    seqs       the numbers of the removed events
    remaining  all events of the user with the post that are left
    """

    user_id: UUID
    post_id: UUID
    seqs: Sequence[int]
    remaining: Sequence[StoredInteraction]


class InteractionRepository(Protocol):
    """The log of events, written. Every method raises StorageUnavailable when the store misses its budget."""

    def record(self, interactions: Sequence[Interaction], *, partial: bool = False) -> RecordResult:
        """Commit all of `interactions` or none; with `partial`, those that are valid. Returns only after the commit.

        An event whose `event_id` is in the log (or twice in the call) is counted as a duplicate and stored once.
        Raises UnknownUser or UnknownPost naming the id, unless `partial`; StorageUnavailable when the store misses its
        budget.
        """

    def retract(self, user_id: UUID, post_id: UUID, interaction_type: InteractionType) -> RemovedEvents:
        """Remove all events of a type of the user with the post; returns after the commit.

        Raises UnknownUser or UnknownPost naming the id.
        """

    def retract_event(self, user_id: UUID, event_id: UUID) -> RemovedEvents | None:
        """Remove the event with an `event_id`; None if the user has none with it. Raises UnknownUser."""

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        """All events of each of the given users with the given post, in the order of their numbers."""

    def events_with(
        self, users: Sequence[UUID], posts: Sequence[UUID], *, in_request: bool = False
    ) -> KeyedEvents:
        """All events of the users, and all events with the posts, each once.

        Also those of users or posts that no view shows any more: a reader may have missed that. `in_request`: within
        the budget of a request; else it may take longer.
        """

    def events_of_posts(self, posts: Sequence[UUID]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        """All events with the given posts, by user and post, in the order of their numbers."""
