"""Follows the log of the database: reads the whole feed once, then the changes."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
import structlog

from app.application.live_feed import LiveFeed
from app.application.workers.event_updates import MAX_REMEMBERED_EVENTS, EventUpdates
from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.state_updater import StateUpdater
from app.domain.entities.post import post_text
from app.domain.errors import PositionExpired, StorageUnavailable
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.external_ids import ExternalIds
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import UuidIndex
from app.domain.repositories.feed_log import FeedChanges, FeedLog, LogPosition, RowKeys

log = structlog.get_logger()

_PAUSE_SECONDS = 0.001  # between two batches, in which a waiting worker takes the write lock
_MAX_RESUME_READS = 50  # reads of changes since a snapshot; with more, a full read is as fast


@dataclass(eq=False)
class LogFollower:
    """Keeps the served state current with the database. `stopping` ends a read between two batches.

    live_posts      which posts a full read needs
    idle_seconds    users who did nothing for so long before the last event are away after a full read
    release_memory  called after a full read, which needs more memory than the state
    captures_all    whether triggers capture every change; else the newest posts are read in short intervals
    """

    feed: LiveFeed
    feed_log: FeedLog
    updater: StateUpdater
    intervals: PollIntervals
    stopping: threading.Event
    live_posts: LivePostLimits = DEFAULT_LIMITS
    idle_seconds: float = math.inf
    release_memory: Callable[[], None] = lambda: None
    captures_all: bool = field(default=True, init=False)
    _newest_read_at: float = field(default_factory=monotonic, init=False)

    def poll_log(self) -> None:
        """Read the log up to now. An unavailable database is logged once, and the state stays as it is."""
        try:
            with self.updater.write_lock:
                self._check_state()
            self.read_backlog()
        except StorageUnavailable as error:
            if self.feed.database_ok:
                log.warning("database.unavailable", cause=str(error))
            self.feed.database_ok = False
            return
        if not self.feed.database_ok:
            log.info("database.available", posts=self.feed.state.n_posts)
        self.feed.database_ok = True
        self.feed.caught_up_at = monotonic()

    def read_backlog(self) -> None:
        """Read the log up to now. Raises StorageUnavailable.

        The write lock is released between two batches, so that a long backlog delays neither a new model nor evictions.
        """
        with self.updater.write_lock:
            has_more = self._read_batch()
        while has_more and not self.stopping.wait(_PAUSE_SECONDS):
            with self.updater.write_lock:
                has_more = self._read_batch()

    def look_for_warnings(self) -> None:
        """Read which tables have rows of which the feed shows nothing; log new warnings."""
        try:
            warnings = self.feed_log.warnings()
        except StorageUnavailable:
            return  # `poll_log` reports it
        for text in set(warnings) - set(self.feed.warnings):
            log.warning("feed.empty_view", problem=text)
        self.feed.warnings = warnings

    def purge_outbox(self) -> None:
        """Remove rows of the outbox that every process has read long ago."""
        try:
            removed = self.feed_log.purge(self.intervals.outbox_ttl)
        except StorageUnavailable as error:
            log.warning("outbox.purge_failed", cause=str(error))
            return
        if removed:
            log.info("outbox.purged", rows=removed)

    def _check_state(self) -> None:
        """Make sure that the state is of this database, and has the newest posts if no trigger captures them."""
        if self.feed.caught_up_at is None:
            if not self._resume():
                self.read_all()
        elif self._is_another_database():
            self.read_all()
        if not self.captures_all and monotonic() - self._newest_read_at > self.intervals.newest_seconds:
            newest = self.feed_log.posts_created_since(self.updater.posts.newest_since())
            self.updater.posts.add_missing(newest)
            self._newest_read_at = monotonic()

    def _is_another_database(self) -> bool:
        """After an outage the address may lead to another database, in which the position is meaningless."""
        position = self.updater.position
        return (
            not self.feed.database_ok and position is not None and position.source != self.feed_log.source()
        )

    def _resume(self) -> bool:
        """Apply the changes since a snapshot of the state. False if only a full read gives the present state."""
        position = self.updater.position
        if position is None or not self.feed_log.can_resume_from(position):
            return False
        try:
            batches = self._read_batches(position)
        except PositionExpired:
            return False
        if batches[-1].more:
            return False
        for changes in batches:
            self.updater.apply_changes(changes)
        return True

    def _read_batches(self, position: LogPosition) -> list[FeedChanges]:
        batches = [self.feed_log.read_changes(position)]
        while batches[-1].more and len(batches) < _MAX_RESUME_READS:
            batches.append(self.feed_log.read_changes(batches[-1].position))
        return batches

    def _note_read_only(self, is_read_only: bool) -> None:
        if is_read_only and not self.feed.is_read_only:
            log.warning(
                "database.read_only", hint="events and other writes get 503 until it accepts them again"
            )
        self.feed.is_read_only = is_read_only

    # -- reads, while the caller holds the updater's `write_lock`; all raise StorageUnavailable ---------------------

    def check_change_capture(self) -> None:
        """Look whether triggers capture every change: views can be redefined at any time."""
        self.captures_all = self.feed_log.has_complete_change_capture()

    def read_all(self) -> None:
        """Replace the state by a full read."""
        self.check_change_capture()
        state, events, position = self._read_state()
        self.updater.replace_state(state, self.feed.ranker.published, events, position)
        self.release_memory()

    def _read_state(self) -> tuple[FeedState, EventUpdates, LogPosition]:
        """The state of a full read. The rows that were read are freed."""
        state, ranker = FeedState(self.feed.state.counting, self.feed.state.limits), self.feed.ranker
        projects = ranker.vectors([]).embedding.shape[1] > 0
        snapshot = self.feed_log.read_into(state, self.live_posts, embeddings=projects)
        posts = snapshot.dataset.posts
        text = ranker.embed([post_text(*one) for one in zip(posts.text, posts.tags, strict=True)])
        embedding = (
            np.zeros((len(posts), 0), np.float16)
            if posts.embedding is None
            else ranker.project(posts.embedding)
        )
        snapshot.fill(state, PostVectors(text, embedding), self.idle_seconds)
        _warn_of_repeated_ids("users", state.users_by_external_id, state.user_rows)
        _warn_of_repeated_ids("posts", state.posts_by_external_id, state.post_rows)
        events = EventUpdates(snapshot.event_checksums.newest(MAX_REMEMBERED_EVENTS).keys)
        return state, events, snapshot.position

    def read_changes(self) -> None:
        """Apply all changes up to now, or until the service stops."""
        while self._read_batch() and not self.stopping.is_set():
            pass

    def _read_batch(self) -> bool:
        """Apply one batch of changes. True if there are more up to the time at which the first batch was read.

        Later changes are left to the next poll: while others write all the time, a read to the end never ends.
        """
        if self.updater.position is None:
            return False
        try:
            changes = self.feed_log.read_changes(self.updater.position)
        except PositionExpired as error:
            log.warning("feed.position_expired", cause=str(error))
            self.read_all()
            return True
        self.updater.apply_changes(changes)
        self._note_read_only(changes.is_read_only)
        return changes.more

    def reread(self, keys: RowKeys) -> None:
        """Read the present rows of keys, whose numbers are not used, and apply them."""
        assert self.updater.position is not None
        rows = self.feed_log.read_rows(self.updater.with_latest_numbers(keys), self.updater.position)
        try:
            self.updater.apply_rows(rows)
        except StorageUnavailable:
            self.feed.state.checksums = None  # a part was applied: read everything next time
            raise


def _warn_of_repeated_ids(entity: str, external_ids: ExternalIds, rows: UuidIndex) -> None:
    """Log a warning if several rows have one external id: requests find one of them only."""
    repeated = external_ids.repeated(rows)
    if repeated:
        log.warning("external_ids.repeated", entity=entity, ids=repeated)
