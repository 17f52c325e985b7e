"""Check and commit the events of users; the next response of this process counts them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.entities import Interaction, InteractionType
from app.domain.errors import (
    ClockAhead,
    DomainError,
    EventTooOld,
    InvalidId,
    InvalidInteraction,
    UnknownPost,
    UnknownUser,
)
from app.domain.repositories.interaction_repository import InteractionRepository, StoredInteraction
from app.domain.services.clock import Clock

CLOCK_AHEAD = "clock_ahead_seconds"
"""Key of the metadata of an event whose time was ahead of the service's clock."""


@dataclass(frozen=True, slots=True)
class TrackedEvent:
    """One event as the caller sent it, with unresolved ids. `occurred_at` is aware; None means now."""

    user_id: str
    post_id: str
    interaction_type: InteractionType
    occurred_at: datetime | None = None
    event_id: UUID | None = None
    request_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackResult:
    """How many events of a call are new, and how many were stored before (same `event_id`).

    rejected  places of the events that were not stored, in a call that stores the others
    """

    accepted: int
    duplicates: int
    rejected: Mapping[int, DomainError] = field(default_factory=dict)


@dataclass(eq=False)
class TrackInteraction:
    """Commit events, all or none, then pass them to `apply`, which adds them to the feed state.

    max_age         maximum time in the past of an event
    max_clock_skew  maximum time in the future, for clocks that run ahead; such an event is stored with the present
                    time, and with the difference in its metadata
    """

    repository: InteractionRepository
    clock: Clock
    apply: Callable[[Sequence[StoredInteraction]], None]
    ids: IdResolver
    max_age: timedelta = timedelta(days=7)
    max_clock_skew: timedelta = timedelta(minutes=5)

    def __call__(self, events: Sequence[TrackedEvent], *, partial: bool = False) -> TrackResult:
        """Returns after the commit. With `partial`, valid events are stored though others are not.

        Raises StorageUnavailable and, unless `partial`, InvalidId, InvalidInteraction and ClockAhead (of several events
        naming the place), UnknownUser and UnknownPost.
        """
        now = self.clock.now()
        checked: dict[int, Interaction] = {}
        rejected: dict[int, DomainError] = {}
        for place, event in enumerate(events):
            try:
                checked[place] = self._checked(event, now)
            except (InvalidId, InvalidInteraction, ClockAhead) as error:
                if not partial:
                    if len(events) > 1:
                        error.args = (f"interactions[{place}]: {error}",)
                    raise
                rejected[place] = error
        try:
            recorded = self.repository.record(list(checked.values()), partial=partial)
        except (UnknownUser, UnknownPost) as error:
            raise type(error)(_as_given(str(error), list(checked.values()), events)) from error
        places = list(checked)
        for row, unknown in recorded.rejected.items():
            event = events[places[row]]
            given = event.user_id if isinstance(unknown, UnknownUser) else event.post_id
            rejected[places[row]] = type(unknown)(given)
        apply_committed(self.apply, recorded.stored, "tracking.not_applied", events=len(recorded.stored))
        return TrackResult(len(recorded.stored), recorded.duplicates, rejected)

    def _checked(self, event: TrackedEvent, now: datetime) -> Interaction:
        occurred_at = event.occurred_at or now
        ahead = occurred_at - now
        if ahead > self.max_clock_skew:
            message = (
                f"occurred_at {occurred_at.isoformat()} is ahead of the service's clock, {now.isoformat()}"
            )
            raise ClockAhead(message, ceil((ahead - self.max_clock_skew).total_seconds()))
        if occurred_at < now - self.max_age:
            limit = f"more than {self.max_age / timedelta(days=1):g} days back"
            raise EventTooOld(f"occurred_at {occurred_at.isoformat()} lies {limit}")
        metadata = event.metadata
        if ahead > timedelta(0):
            metadata = {**metadata, CLOCK_AHEAD: ahead.total_seconds()}
        user_id, post_id = self.ids.user_id(event.user_id), self.ids.post_id(event.post_id)
        try:
            return Interaction(
                user_id=user_id,
                post_id=post_id,
                interaction_type=event.interaction_type,
                occurred_at=min(occurred_at, now),
                event_id=event.event_id,
                request_id=event.request_id,
                metadata=metadata,
            )
        except ValueError as error:  # the entity's own invariants
            raise InvalidInteraction(str(error)) from None


def _as_given(unknown: str, checked: Sequence[Interaction], events: Sequence[TrackedEvent]) -> str:
    """The id that the store does not know as the caller wrote it; of several events with the first one's place."""
    for place, (one, event) in enumerate(zip(checked, events, strict=True)):
        for id_, given in ((one.user_id, event.user_id), (one.post_id, event.post_id)):
            if str(id_) == unknown:
                return f"interactions[{place}]: {given}" if len(events) > 1 else given
    return unknown
