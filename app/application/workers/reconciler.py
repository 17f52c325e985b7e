"""Compares the state with the database, to find changes that no trigger captured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from uuid import UUID

import numpy as np
import structlog

from app.application.workers.compared_posts import compared_posts
from app.application.workers.follow_sums import follow_sums
from app.application.workers.log_follower import LogFollower
from app.application.workers.poll_intervals import PollIntervals
from app.domain.errors import StorageUnavailable
from app.domain.feed.row_checksums import (
    TRACKED_KINDS,
    USER_KINDS,
    UUID_KINDS,
    UnchangedRows,
    different_keys,
)
from app.domain.feed.state import FeedState
from app.domain.repositories.feed_log import RowKeys, StoredRows
from app.domain.repositories.interaction_repository import UserAndPost

log = structlog.get_logger()

_MAX_DIFFERENCES = 20_000  # rows that are read one by one; with more, a full read is as fast
_MIN_IDLE_TO_BUSY_RATIO = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows differed at `at` (monotonic seconds), by kind: UUID_KINDS and `interactions`.

    Of a comparison that ended in a full read, the number of interactions is a lower bound.
    """

    at: float
    differences: Mapping[str, int]


class Reconciler:
    """Triggers miss writes of a restore or of logical replication, and changes of adopted tables and of views.

    The state contains a checksum of each database row in it. The database returns sums of checksums. Only kinds of rows
    whose sums differ are compared row by row, and only rows that differ are read again.

    last              None before the first comparison
    interval_seconds  from the start of the last comparison to that of the next
    """

    def __init__(self, follower: LogFollower, intervals: PollIntervals) -> None:
        self.last: Comparison | None = None
        self._follower = follower
        self._intervals = intervals
        self._last_duration = 0.0
        self._following_seconds = 0.0  # during this comparison

    @property
    def interval_seconds(self) -> float:
        """Seconds between the starts of two comparisons: they take at most a twentieth of the time."""
        return max(self._intervals.reconcile_seconds, _MIN_IDLE_TO_BUSY_RATIO * self._last_duration)

    def run(self) -> float:
        """Compare, and return the pause in seconds until the next comparison."""
        began = monotonic()
        self._following_seconds = 0.0
        try:
            self.compare()
        except StorageUnavailable as error:
            log.warning("reconcile.failed", cause=str(error))
        self._last_duration = monotonic() - began - self._following_seconds
        return self.interval_seconds - self._last_duration

    def compare(self) -> None:
        """Find all differences and apply them. Raises StorageUnavailable.

        The database compares without a lock. Rows that the log returns in the meantime are no differences. A backlog
        of the log is read first, because a comparison takes much of the database's time.
        """
        follower = self._follower
        feed, updater = follower.feed, follower.updater
        if feed.caught_up_at is None:
            return
        self._follow_log()
        with updater.write_lock:
            follower.check_change_capture()
            follower.read_changes()
            state = feed.state
            if state.checksums is None:  # a snapshot of an earlier version
                follower.read_all()
                self.last = Comparison(monotonic(), dict.fromkeys((*UUID_KINDS, "interactions"), 0))
                return
            with updater.change_lock:
                state.checksums.clear_changed()
                known = state.checksums.sums(follow_sums(state), compared_posts(state))
        unchanged = partial(self._unchanged, state, known.last_event)
        stored = follower.feed_log.different_rows(known, unchanged)
        self._follow_log()
        with updater.write_lock:
            follower.read_changes()
            if feed.state is state:
                self._apply(state, stored)

    def _follow_log(self) -> None:
        """Read the log up to now, which is no part of the comparison. Raises StorageUnavailable."""
        began = monotonic()
        self._follower.read_backlog()
        self._following_seconds += monotonic() - began

    def _unchanged(self, state: FeedState, last_event: int) -> Mapping[str, UnchangedRows]:
        """What stayed the same in `state` since the sums of its checksums. Raises StorageUnavailable."""
        self._follow_log()
        assert state.checksums is not None
        with self._follower.updater.change_lock:
            follows = follow_sums(state)
            return state.checksums.unchanged(follows, state.user_rows, state.post_rows, last_event)

    def _apply(self, state: FeedState, stored: StoredRows) -> None:
        """Read the rows that differ and apply them."""
        checksums, change_lock = state.checksums, self._follower.updater.change_lock
        assert checksums is not None
        with change_lock:
            rows = {
                kind: (state.user_rows if kind in USER_KINDS else state.post_rows).copy()
                for kind in TRACKED_KINDS
                if kind in stored.by_kind
            }
            follows = follow_sums(state)
        different = {
            kind: checksums.by_kind[kind].different(rows[kind], stored.by_kind[kind]) for kind in rows
        }
        if "follows" in stored.by_kind:
            followers = different_keys(follows, stored.by_kind["follows"])
            different["follows"] = followers - checksums.changed_followers
        events = checksums.events.different(stored.events, stored.event_blocks) if stored.complete else []
        counts = {kind: len(different.get(kind, ())) for kind in UUID_KINDS}
        counts["interactions"] = len(events) if stored.complete else len(stored.event_blocks)
        self.last = Comparison(monotonic(), counts)
        if not any(counts.values()):
            return
        log.warning("reconcile.differences", **counts)
        if not stored.complete or sum(counts.values()) > _MAX_DIFFERENCES:
            self._follower.read_all()
            return
        ids = {kind: {UUID(bytes=key) for key in different.get(kind, ())} for kind in UUID_KINDS}
        with change_lock:
            pairs = _pairs_of(state, events, stored) if events else {}
            if _may_lack_pairs(state, events, pairs):
                self._follower.read_all()
                return
            keys = RowKeys(
                users=dict.fromkeys(ids["users"], 0),
                posts=dict.fromkeys(ids["posts"], 0),
                follows=dict.fromkeys(_follows_of(state, different.get("follows", ())), 0),
                followers=ids["follows"],
                controls=dict.fromkeys(ids["controls"], 0),
                events=pairs,
                numbers=events,  # an event that does not count has no pair in the state
            )
        self._follower.reread(keys)


def _follows_of(state: FeedState, users: Iterable[bytes]) -> list[tuple[UUID, UUID]]:
    """The follows of these users in the state."""
    if not users:
        return []
    return [
        (UUID(bytes=key), UUID(bytes=followee))
        for key in users
        if (row := state.user_rows.get(key)) is not None
        for followee in state.user_rows.by_row[state.follows.row(row)[0]].tolist()
        if followee in state.user_rows
    ]


def _may_lack_pairs(
    state: FeedState, events: Sequence[int], pairs: Mapping[UserAndPost, Sequence[int]]
) -> bool:
    """True if the user and post of one of `events` are unknown, though it may count outside its user's list."""
    known = {number for numbers in pairs.values() for number in numbers}
    has_earlier = state.is_away.any() or state.earlier_events.lengths(np.arange(state.n_users)).any()
    return bool(has_earlier) and not known.issuperset(events)


def _pairs_of(state: FeedState, events: Sequence[int], stored: StoredRows) -> dict[UserAndPost, list[int]]:
    """The numbers of events by their users and posts, both in the database and in the state."""
    places = np.flatnonzero(np.isin(stored.events.keys, events))
    found = list(
        zip(
            stored.event_users[places].tolist(),
            stored.event_posts[places].tolist(),
            stored.events.keys[places].tolist(),
            strict=True,
        )
    )
    users = np.arange(state.n_users)
    longest = int(state.events_by_user.lengths(users).max(initial=0))
    user, (post, numbers) = state.events_by_user.gather(users, longest, (0, 4))
    places = np.flatnonzero(np.isin(numbers, events))
    for place in places.tolist():
        user_key, post_key = state.user_key(user.item(place)), state.post_key(post.item(place))
        if user_key in state.user_rows and state.post_rows.get(post_key) == post.item(place):
            found.append((user_key, post_key, numbers.item(place)))
    pairs: dict[UserAndPost, list[int]] = {}
    for of_user, of_post, number in found:
        pairs.setdefault((UUID(bytes=of_user), UUID(bytes=of_post)), []).append(number)
    return pairs
