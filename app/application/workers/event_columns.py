"""Turns stored events into columns with rows of a state."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, KeyedEvents, microseconds
from app.domain.feed.event_counting import ReceivedEvents, counted_events
from app.domain.feed.row_checksums import Checksums, EventChecksums
from app.domain.feed.state import FeedState
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.interaction_repository import (
    RemovedEvents,
    StoredInteraction,
    StoredPairs,
    UserAndPost,
)


def event_columns(state: FeedState, events: Sequence[StoredInteraction]) -> EventColumns:
    """The columns of events of users and posts that the state has."""
    interactions = [event.interaction for event in events]
    kinds = [INTERACTION_TYPES.index(interaction.interaction_type) for interaction in interactions]
    return EventColumns(
        np.array([state.user_rows[interaction.user_id.bytes] for interaction in interactions], np.int32),
        np.array([state.post_rows[interaction.post_id.bytes] for interaction in interactions], np.int32),
        np.array(kinds, np.uint8),
        # an event counts at its receipt at the latest
        np.array(
            [microseconds(min(one.interaction.occurred_at, one.received_at)) for one in events], np.int64
        ),
        np.array([event.seq for event in events], np.int64),
        received_us=np.array([microseconds(event.received_at) for event in events], np.int64),
    )


def is_counted(state: FeedState, event: StoredInteraction) -> bool:
    """True if the event counts in the state, which has its user and post."""
    interaction = event.interaction
    user, post = state.user_rows[interaction.user_id.bytes], state.post_rows[interaction.post_id.bytes]
    return state.has_counted(user, post, event.seq)


def returned_events(state: FeedState, events: Sequence[StoredInteraction]) -> list[StoredInteraction]:
    """The events that the log has returned; the others follow."""
    return [event for event in events if state.checksums is None or state.checksums.events.has(event.seq)]


def unplaced_events(state: FeedState, changes: Sequence[RemovedEvents]) -> list[StoredInteraction]:
    """The remaining events whose user or post the state lacks, because no trigger captured its insertion.

    After an eviction, a post that the state lacks is in storage only.
    """
    lacks_posts = state.complete_from is None
    return [
        event
        for one in changes
        for event in one.remaining
        if one.user_id.bytes not in state.user_rows
        or (lacks_posts and one.post_id.bytes not in state.post_rows)
    ]


def without_new(known: EventChecksums, changes: FeedChanges) -> Checksums:
    """The checksums of changed events, without those of new ones."""
    new = [event.seq for event in changes.events if not known.has(event.seq)]
    changed = changes.checksums.events
    kept = ~np.isin(changed.keys, np.array(new, np.int64))
    return Checksums(changed.keys[kept], changed.values[kept])


def keyed_columns(state: FeedState, events: KeyedEvents) -> EventColumns:
    """The events of users and posts that the state has, of those that the log has returned."""
    known = events.with_rows(state.user_rows.rows(events.user), state.post_rows.rows(events.post))
    if state.checksums is None:
        return known
    return known[np.flatnonzero(state.checksums.events.has_each(known.seq))]


def received_events(state: FeedState, stored: StoredPairs) -> ReceivedEvents:
    """When the events of pairs of users and posts that the state has were received, if they count."""
    received: dict[tuple[int, int, int], list[float]] = {}
    if not stored or state.counting is None:
        return received
    events = event_columns(state, [event for of_pair in stored.values() for event in of_pair])
    events = events[np.flatnonzero(counted_events(state.counting, events, state.author))]
    columns = (column.tolist() for column in (events.user, events.post, events.kind, events.received))
    for user, post, kind, time in zip(*columns, strict=True):
        received.setdefault((user, post, kind), []).append(time)
    return received


def unordered_pairs(
    state: FeedState, events: Sequence[StoredInteraction], before: StoredPairs
) -> list[UserAndPost]:
    """The users and posts of events that were received before one of the pair that is earlier in the log.

    Imported events have their own time as that of their receipt. `before` are the earlier events of pairs that lists
    do not contain completely.
    """
    pairs: set[UserAndPost] = set()
    latest: dict[UserAndPost, float] = {}
    for event in events:
        pair, received = (event.interaction.user_id, event.interaction.post_id), event.received_at.timestamp()
        if pair not in latest:
            stored = [one.received_at.timestamp() for one in before.get(pair, ())]
            latest[pair] = max([_latest_receipt(state, *pair), *stored])
        if received < latest[pair]:
            pairs.add(pair)
        latest[pair] = max(latest[pair], received)
    return sorted(pairs)


def _latest_receipt(state: FeedState, user_id: UUID, post_id: UUID) -> float:
    """Time in seconds at which the last event of a user with a post that counts was received, -inf if none does."""
    user, post = state.user_rows.get(user_id.bytes), state.post_rows.get(post_id.bytes)
    if user is None or post is None:
        return -np.inf
    posts, _, _, received, _ = state.events_by_user.row(user)
    return float(received[posts == post].max(initial=-np.inf))
