"""Finds changes that no trigger captured: adopted tables may have no triggers."""

from time import monotonic
from uuid import UUID

from app.application.workers.poll_intervals import PollIntervals
from app.application.workers.state_updater import StateUpdater
from app.domain.repositories.feed_log import FeedChecksums, FeedLog


class Reconciler:
    """Compares the state with the tables: the newest posts often, everything rarely.

    It does nothing if triggers capture every change.
    """

    def __init__(self, feed_log: FeedLog, updater: StateUpdater, intervals: PollIntervals) -> None:
        self._log = feed_log
        self._updater = updater
        self._intervals = intervals
        self._all_captured = False
        # by key, as of the last comparison
        self._user_checksums: dict[bytes, int] = {}
        self._checksums: dict[bytes, int] = {}  # of each post
        self._reconciled_at = self._newest_read_at = monotonic()

    def reset(self) -> None:
        """Read the checksums before a full read, so that changes during the read are found later.

        Raises StorageUnavailable.
        """
        self._all_captured = self._log.has_complete_change_capture()
        self._remember(None if self._all_captured else self._log.checksums())
        self._reconciled_at = self._newest_read_at = monotonic()

    def run_if_due(self) -> None:
        """Run the comparisons whose interval has passed. Raises StorageUnavailable."""
        if monotonic() - self._reconciled_at > self._intervals.reconcile_seconds:
            self._reconcile()
            self._reconciled_at = monotonic()
        if not self._all_captured and monotonic() - self._newest_read_at > self._intervals.newest_seconds:
            newest = self._log.posts_created_since(self._updater.newest_posts_since())
            self._updater.add_missing_posts(newest)
            self._newest_read_at = monotonic()

    def _reconcile(self) -> None:
        self._all_captured = self._log.has_complete_change_capture()  # views can be redefined at any time
        if self._all_captured:
            self._remember(None)
            return
        current = self._log.checksums()
        self._updater.reconcile(current, self._checksums)
        of_users = current.by_user().items()
        changed = [key for key, checksum in of_users if self._user_checksums.get(key) != checksum]
        self._updater.set_users(self._log.users([UUID(bytes=key) for key in changed]))
        self._remember(current)

    def _remember(self, checksums: FeedChecksums | None) -> None:
        self._user_checksums = checksums.by_user() if checksums else {}
        self._checksums = checksums.by_post() if checksums else {}
