"""Notices an unavailable database sooner than a read of the log does."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.application.live_feed import LiveFeed
from app.domain.errors import StorageUnavailable

log = structlog.get_logger()

CHECK_SECONDS = 0.25


@dataclass(eq=False)
class DatabaseWatcher:
    """Marks the database as unavailable; the next complete read of the log marks it as available again.

    A read may take seconds because there is much to read. `check` takes one round trip, on a connection of its own, and
    raises StorageUnavailable.
    """

    feed: LiveFeed
    check: Callable[[], None]

    def run(self) -> None:
        """Check the database once."""
        try:
            self.check()
        except StorageUnavailable as error:
            if self.feed.database_ok:
                log.warning("database.unavailable", cause=str(error))
            self.feed.database_ok = False
