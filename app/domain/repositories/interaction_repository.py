"""Port: recording what users did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.entities import Interaction


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


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What one call added: the new events, and how many were already there (same `event_id`)."""

    stored: tuple[StoredInteraction, ...]
    duplicates: int


class InteractionRepository(Protocol):
    """The append-only log of events, written."""

    def record(self, interactions: Sequence[Interaction]) -> RecordResult:
        """Commit all of `interactions` or none; returns only after the commit.

        An event whose `event_id` is in the log (or twice in the call) is counted as a duplicate and stored once.
        Raises UnknownUser or UnknownPost naming the id, StorageUnavailable when the store misses its budget.
        """
