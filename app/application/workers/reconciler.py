"""Finds what no trigger tells of: tables of others may have none of ours."""

from time import monotonic

from app.application.workers.poll_intervals import Pace
from app.application.workers.state_updater import FeedWriter
from app.domain.repositories.feed_log import FeedLog


class UntoldChanges:
    """Compares memory with the tables: the newest posts often, everything now and then; nothing where all is told."""

    def __init__(self, writer: FeedWriter, pace: Pace) -> None:
        self._writer = writer
        self._pace = pace
        self._all_told = False
        self._marks: dict[bytes, int] = {}  # of each post, as memory has it
        self._compared_at = self._looked_at = monotonic()

    def begin(self, feed_log: FeedLog) -> None:
        """To be called before the feed is read as a whole, so that what changes meanwhile is found later.

        Raises StorageUnavailable.
        """
        self._all_told = feed_log.tells_all()
        self._marks = {} if self._all_told else feed_log.marks().by_post()
        self._compared_at = self._looked_at = monotonic()

    def look(self, feed_log: FeedLog) -> None:
        """What is due. Raises StorageUnavailable."""
        if monotonic() - self._compared_at > self._pace.reconcile:
            self._all_told = feed_log.tells_all()  # views can be redefined at any time
            if self._all_told:
                self._marks = {}
            else:
                there = feed_log.marks()
                self._writer.compare(there, self._marks)
                self._marks = there.by_post()
            self._compared_at = monotonic()
        if not self._all_told and monotonic() - self._looked_at > self._pace.newest:
            self._writer.add_unknown(feed_log.posts_created_since(self._writer.newest_created()))
            self._looked_at = monotonic()
