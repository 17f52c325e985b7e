"""Applies events, and their removal, to a state, each once."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.application.workers.event_columns import (
    event_columns,
    is_counted,
    received_events,
    returned_events,
)
from app.domain.feed.array_tree import ArrayTree, array_of, number_array
from app.domain.feed.event_counting import ReceivedEvents
from app.domain.feed.retraction import PairEvents
from app.domain.feed.slices import Writing
from app.domain.feed.state import FeedState
from app.domain.repositories.interaction_repository import (
    NO_PAIRS,
    RemovedEvents,
    StoredInteraction,
    StoredPairs,
)

_EVENTS_PER_STEP = 15
_ANY_POST = -1
_NO_EVENTS = np.empty(0, np.int64)
MAX_REMEMBERED_EVENTS: Final = 200_000
"""The log returns events again that this process applied after its commit."""


class EventUpdates:
    """Applies events of this process at once, and those of the log, which may be the same ones."""

    def __init__(self, event_seqs: NDArray[np.int64] = _NO_EVENTS) -> None:
        """`event_seqs` are the numbers of the events in the state, which are not applied again."""
        newest = np.sort(event_seqs)[-MAX_REMEMBERED_EVENTS:]
        # number of the event to number of its post, oldest event first
        self._applied = OrderedDict.fromkeys(newest.tolist(), _ANY_POST)
        # numbers of events that are not in the number of events: removed, or of unknown posts; oldest first
        self._uncounted: OrderedDict[int, None] = OrderedDict()

    def record(
        self,
        state: FeedState,
        stored: Sequence[StoredInteraction],
        writing: Writing,
        before: StoredPairs = NO_PAIRS,
    ) -> None:
        """Count each new event of a known post, in order of time. Note those of evicted posts.

        An event counts again if its post was re-created since: a re-created post has another number.

        before  all events of the pairs that lists do not contain completely, as far as they were applied
        """
        new = sorted(
            (event for event in stored if not self._is_applied(state, event)),
            key=lambda event: (event.interaction.occurred_at, event.seq),
        )
        # the user of a committed event exists, even if no trigger captured it
        state.add_users((event.interaction.user_id.bytes for event in new), writing)
        of_known_posts = [event for event in new if event.interaction.post_id.bytes in state.post_rows]
        # `replace` may have counted an event of this batch already, as one that remains
        applied = {event.seq for of_pair in before.values() for event in of_pair}
        uncounted = [
            event for event in of_known_posts if not (event.seq in applied or is_counted(state, event))
        ]
        state.n_events += len(of_known_posts) - len(uncounted)
        if uncounted:
            _count(state, uncounted, received_events(state, before), writing)
        if state.complete_from is None:
            self._uncounted.update(dict.fromkeys(_numbers(new) - _numbers(of_known_posts)))
            new = of_known_posts
        state.n_events += len(new) - len(of_known_posts)  # the others are of evicted posts
        state.n_events -= sum(event.seq in self._applied for event in new)  # of posts that were re-created
        if state.checksums is not None:
            state.checksums.events.mark_unknown(event.seq for event in new)
        for event in new:
            row = state.post_rows.get(event.interaction.post_id.bytes)
            self._applied[event.seq] = _ANY_POST if row is None else int(state.seq[row])
        for number in _numbers(new) & self._uncounted.keys():
            del self._uncounted[number]
        for remembered in (self._applied, self._uncounted):
            _forget_oldest(remembered)

    def count_removed(self, state: FeedState, removed: Sequence[RemovedEvents]) -> None:
        """Subtract removed events from the number of events, each once."""
        left = _numbers(event for one in removed for event in one.remaining)
        new = {seq for one in removed for seq in one.seqs} - left - self._uncounted.keys()
        self._uncounted.update(dict.fromkeys(new))
        state.n_events -= len(new)
        _forget_oldest(self._uncounted)

    def array_tree(self) -> ArrayTree:
        """The numbers of applied events, and of those that are not counted (see `from_tree`)."""
        return {
            "applied": partial(number_array, list(self._applied)),
            "post_seq": partial(number_array, list(self._applied.values())),
            "uncounted": partial(number_array, list(self._uncounted)),
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree) -> "EventUpdates":
        """The inverse of `array_tree`. Raises ValueError."""
        applied, rows, uncounted = (
            array_of(tree, name, np.int64) for name in ("applied", "post_seq", "uncounted")
        )
        updates = cls()
        updates._applied.update(zip(applied.tolist(), rows.tolist(), strict=True))
        updates._uncounted.update(dict.fromkeys(uncounted.tolist()))
        return updates

    def _is_applied(self, state: FeedState, event: StoredInteraction) -> bool:
        row = state.post_rows.get(event.interaction.post_id.bytes)
        applied = self._applied.get(event.seq)
        return applied is not None and (row is None or applied in (_ANY_POST, state.seq[row]))


def stored_pairs(state: FeedState, changes: Sequence[RemovedEvents]) -> list[PairEvents]:
    """The remaining events of each pair of a user and a post, if the state has both.

    Those that the log has not returned follow.
    """
    return [
        PairEvents(user, post, change.seqs, event_columns(state, returned_events(state, change.remaining)))
        for change in changes
        if (user := state.user_rows.get(change.user_id.bytes)) is not None
        and (post := state.post_rows.get(change.post_id.bytes)) is not None
    ]


def _count(
    state: FeedState, stored: Sequence[StoredInteraction], known: ReceivedEvents, writing: Writing
) -> None:
    events = event_columns(state, stored)
    # of all, because an event may be received before an older one
    counts = state.newly_counted(events, known)
    state.reserve_events(events)
    for start in range(0, len(events), _EVENTS_PER_STEP):
        step = slice(start, start + _EVENTS_PER_STEP)
        with writing():
            state.record(events[step], counts[step])


def _numbers(events: Iterable[StoredInteraction]) -> set[int]:
    return {event.seq for event in events}


def _forget_oldest(events: OrderedDict[int, Any]) -> None:
    while len(events) > MAX_REMEMBERED_EVENTS:
        events.popitem(last=False)
