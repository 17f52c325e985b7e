"""Let users say what they do not want to see, and take it back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.entities.control import Control, ControlAction
from app.domain.errors import InvalidControl, UnknownAuthor, UnknownPost, UnknownUser
from app.domain.repositories.control_repository import ControlRepository, UserControls
from app.domain.services.clock import Clock
from app.domain.words import normal_phrase, normal_tag


@dataclass(frozen=True, slots=True)
class Feedback:
    """One action as the caller gave it: ids in the caller's spelling; `undo` takes the action back."""

    user_id: str
    action: ControlAction
    post_id: str | None = None
    author_id: str | None = None
    tag: str | None = None
    word: str | None = None
    undo: bool = False
    until: datetime | None = None
    event_id: UUID | None = None


@dataclass(eq=False)
class GiveFeedback:
    """Commit a control, then hand the user's controls to `apply`, which makes them hold in memory at once."""

    repository: ControlRepository
    clock: Clock
    apply: Callable[[UserControls], None]
    ids: IdResolver

    def __call__(self, feedback: Feedback) -> None:
        """Returns after the commit.

        Raises InvalidId, InvalidControl, UnknownUser, UnknownPost, UnknownAuthor, ManagedElsewhere, StorageUnavailable.
        """
        user_id = self.ids.user_id(feedback.user_id)
        post_id = None if feedback.post_id is None else self.ids.post_id(feedback.post_id)
        author_id = None if feedback.author_id is None else self.ids.user_id(feedback.author_id)
        if user_id == author_id:
            raise InvalidControl("users cannot mute or block themselves")
        if feedback.until is not None and feedback.until <= self.clock.now():
            raise InvalidControl(f"until {feedback.until.isoformat()} lies in the past")
        try:
            control = Control(
                user_id,
                feedback.action,
                post_id,
                author_id,
                None if feedback.tag is None else normal_tag(feedback.tag),
                None if feedback.word is None else normal_phrase(feedback.word),
                until=feedback.until,
            )
        except ValueError as error:  # the entity's own invariants
            raise InvalidControl(str(error)) from None
        try:
            controls = self.repository.record(control, undo=feedback.undo, event_id=feedback.event_id)
        except UnknownUser as error:
            raise UnknownUser(feedback.user_id) from error
        except UnknownPost as error:
            raise UnknownPost(str(feedback.post_id)) from error
        except UnknownAuthor as error:
            raise UnknownAuthor(str(feedback.author_id)) from error
        apply_committed(self.apply, controls, "feedback.not_applied")


@dataclass(frozen=True, slots=True)
class ActiveControl:
    """A control that holds: exactly one target is not None, ids are UUIDs."""

    action: ControlAction
    post_id: str | None
    author_id: str | None
    tag: str | None
    word: str | None
    created_at: datetime | None
    until: datetime | None


@dataclass(eq=False)
class ListControls:
    """The controls that hold for a user now."""

    repository: ControlRepository
    clock: Clock
    ids: IdResolver

    def __call__(self, user_id: str) -> list[ActiveControl]:
        """Oldest first. Raises InvalidId, UnknownUser, StorageUnavailable."""
        try:
            controls = self.repository.controls_of(self.ids.user_id(user_id)).controls
        except UnknownUser as error:
            raise UnknownUser(user_id) from error
        now = self.clock.now()
        return [
            ActiveControl(
                control.action,
                None if control.post_id is None else str(control.post_id),
                None if control.author_id is None else str(control.author_id),
                control.tag,
                control.word,
                control.created_at,
                control.until,
            )
            for control in controls
            if control.until is None or now < control.until
        ]
