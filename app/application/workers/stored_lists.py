"""Reads what the lists of a state do not contain, because memory holds their newest entries only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from threading import RLock
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.live_feed import LiveFeed
from app.application.workers.event_columns import keyed_columns, returned_events
from app.domain.feed.dataset import KeyedEvents
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.rebuilt_lists import is_complete, rebuild_lists
from app.domain.feed.retraction import PairEvents, replace_events
from app.domain.feed.slices import Writing
from app.domain.feed.state import FeedState
from app.domain.repositories.interaction_repository import (
    NO_PAIRS,
    InteractionRepository,
    StoredInteraction,
    StoredPairs,
)

Rows = NDArray[np.intp]


@dataclass(eq=False)
class StoredLists:
    """The lists of a state in storage. The caller holds the lock of changes, so that the state stays as it is, or
    gives it to `refill`.

    All methods raise StorageUnavailable. Events that the log has not returned yet do not count.
    """

    interactions: InteractionRepository

    def events_before(self, state: FeedState, events: Sequence[StoredInteraction]) -> StoredPairs:
        """All events of the users and posts of `events` of which the users' lists do not contain all."""
        keys = {(event.interaction.user_id, event.interaction.post_id) for event in events}
        pairs = sorted(pair for pair in keys if _has_earlier_event(state, *pair))
        if not pairs:
            return NO_PAIRS
        stored = self.interactions.events_of(pairs)
        if state.checksums is None:  # it is unknown which events the log has returned
            new = {event.seq for event in events}
            return {pair: [event for event in stored[pair] if event.seq not in new] for pair in pairs}
        return {pair: returned_events(state, stored[pair]) for pair in pairs}

    def bring_back(
        self, state: FeedState, users: Iterable[UUID], writing: Writing, *, in_request: bool = False
    ) -> None:
        """Read the events of those of `users` who are away. `in_request`: within the time of a request."""
        rows = {state.user_rows.get(user.bytes, -1) for user in users} - {-1}
        away = np.array(sorted(row for row in rows if state.is_away[row]), np.intp)
        self.rebuild(state, away, away[:0], writing, in_request=in_request)

    def replace_events(self, state: FeedState, pairs: Sequence[PairEvents], writing: Writing) -> None:
        """As `retraction.replace_events`, also of pairs whose lists memory does not have completely."""
        complete = [is_complete(state, pair.user, pair.post) for pair in pairs]
        replace_events(state, list(compress(pairs, complete)), writing)
        others = [pair for pair, known in zip(pairs, complete, strict=True) if not known]
        users, posts = (sorted({pair.user for pair in others}), sorted({pair.post for pair in others}))
        self.rebuild(state, np.array(users, np.intp), np.array(posts, np.intp), writing)

    def rebuild(
        self, state: FeedState, users: Rows, posts: Rows, writing: Writing, *, in_request: bool = False
    ) -> None:
        """Make the lists of users and posts, and the counters of the posts, those of all their events."""
        while len(users) or len(posts):
            events = keyed_columns(state, self._read(state, users, posts, in_request=in_request))
            users, posts = users[:0], rebuild_lists(state, users, posts, events, writing)

    def refill(self, feed: LiveFeed, users: Rows, posts: Rows, lock: RLock, writing: Writing) -> bool:
        """As `rebuild`, but without `lock`, the lock of changes, while the events are read: they may be many.

        Returns whether all lists were the same before and after the read; the others stay as they are.
        """
        with lock:
            state = feed.state
            before = _contents(state.events_by_user, users), _contents(state.users_by_post, posts)
        read = self._read(state, users, posts)
        with lock:
            if feed.state is not state:
                return False
            after = _contents(state.events_by_user, users), _contents(state.users_by_post, posts)
            same_users, same_posts = (np.equal(*contents) for contents in zip(before, after, strict=True))
            others = rebuild_lists(
                state, users[same_users], posts[same_posts], keyed_columns(state, read), writing
            )
            self.rebuild(state, users[:0], others, writing)
        return bool(same_users.all() and same_posts.all())

    def _read(self, state: FeedState, users: Rows, posts: Rows, *, in_request: bool = False) -> KeyedEvents:
        user_ids = [UUID(bytes=key) for key in state.user_rows.by_row[users].tolist()]
        post_ids = [UUID(bytes=key) for key in state.post_rows.by_row[posts].tolist()]
        return self.interactions.events_with(user_ids, post_ids, in_request=in_request)


def _contents(lists: RaggedArray, rows: Rows) -> NDArray[np.object_]:
    """(n_rows,) the bytes of each list."""
    contents = [b"".join(column.tobytes() for column in lists.row(row)) for row in rows.tolist()]
    return np.array(contents, np.object_)


def _has_earlier_event(state: FeedState, user_id: UUID, post_id: UUID) -> bool:
    """True if the user engaged with the post before the events that the user's list contains."""
    user, post = state.user_rows.get(user_id.bytes), state.post_rows.get(post_id.bytes)
    if user is None or post is None or not state.earlier_events.length(user):
        return False
    return bool((state.earlier_events.row(user)[0] == post).any())
