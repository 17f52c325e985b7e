"""A request of a user whose events are not in memory."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.application.dto import RecommendationResponse
from app.application.use_cases.unfinished_page import UnfinishedPage
from app.domain.errors import StorageUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReturningUser:
    """The page follows when the user's events were read, or without them.

    read_events  brings the events into memory; raises StorageUnavailable
    respond      answers the request with what is in memory; True marks a page that lacks the events as degraded
    """

    read_events: Callable[[], None]
    respond: Callable[[bool], RecommendationResponse | UnfinishedPage]

    def complete(self) -> RecommendationResponse:
        """Return the page. While the database is away, it is that of a user without events, and degraded."""
        try:
            self.read_events()
        except StorageUnavailable as error:
            log.warning("returning_user.not_read", cause=str(error))
            return self.without_storage()
        page = self.respond(False)
        return page.complete() if isinstance(page, UnfinishedPage) else page

    def without_storage(self) -> RecommendationResponse:
        """The page of a user without events."""
        page = self.respond(True)
        return page.without_storage() if isinstance(page, UnfinishedPage) else page
