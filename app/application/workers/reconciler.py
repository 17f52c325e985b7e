"""Finds what no trigger tells of: tables of others may have none of ours."""

from time import monotonic

from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.state_updater import StateUpdater
from app.domain.repositories.feed_log import FeedLog


class Reconciler:
    """Compares memory with the tables: the newest posts often, everything now and then; nothing where all is told."""

    def __init__(self, updater: StateUpdater, intervals: PollIntervals) -> None:
        self._updater = updater
        self._intervals = intervals
        self._has_complete_capture = False
        self._checksums: dict[bytes, int] = {}  # of each post, as memory has it
        self._compared_at = self._looked_at = monotonic()

    def reset(self, feed_log: FeedLog) -> None:
        """To be called before the feed is read as a whole, so that what changes meanwhile is found later.

        Raises StorageUnavailable.
        """
        self._has_complete_capture = feed_log.has_complete_change_capture()
        self._checksums = {} if self._has_complete_capture else feed_log.checksums().by_post()
        self._compared_at = self._looked_at = monotonic()

    def run_if_due(self, feed_log: FeedLog) -> None:
        """What is due. Raises StorageUnavailable."""
        if monotonic() - self._compared_at > self._intervals.reconcile:
            self._has_complete_capture = (
                feed_log.has_complete_change_capture()
            )  # views can be redefined at any time
            if self._has_complete_capture:
                self._checksums = {}
            else:
                there = feed_log.checksums()
                self._updater.reconcile(there, self._checksums)
                self._checksums = there.by_post()
            self._compared_at = monotonic()
        if not self._has_complete_capture and monotonic() - self._looked_at > self._intervals.newest:
            self._updater.add_missing_posts(feed_log.posts_created_since(self._updater.newest_created()))
            self._looked_at = monotonic()
