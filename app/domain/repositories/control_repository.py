"""Port: the controls of users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.domain.entities.control import Control


@dataclass(frozen=True, slots=True)
class UserControls:
    """All controls of one user that were not taken back; some may have ended (`until`).

    seq  number of the user's last change, 0 without one: of two states of the same user, the larger one is later
    """

    user_id: UUID
    controls: Sequence[Control]
    seq: int


class ControlRepository(Protocol):
    """The append-only log of controls. Every method raises StorageUnavailable when the store misses its budget."""

    def record(self, control: Control, *, undo: bool, event_id: UUID | None) -> UserControls:
        """Commit a control, or its end if `undo`, and return the user's controls after it.

        An `event_id` that is stored already changes nothing. Raises UnknownUser, UnknownPost, or UnknownAuthor naming
        the id, and ManagedElsewhere if another application stores the controls.
        """

    def controls_of(self, user_id: UUID) -> UserControls:
        """The controls of one user. Raises UnknownUser."""
