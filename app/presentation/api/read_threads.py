"""Runs in threads what waits for posts or events that memory lacks, so that the event loop goes on."""

import anyio
from anyio import to_thread

from app.application.dto import RecommendationResponse
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.unfinished_page import UnfinishedPage
from app.presentation.api.dependencies import ApiOptions

_READS_AT_ONCE = 2  # the other connections of the pool are for writes and workers


class ReadThreads:
    """Completes pages with bounded concurrency and within a time budget."""

    def __init__(self, options: ApiOptions) -> None:
        self._budget_seconds = options.track_budget_seconds
        self._limiter = anyio.CapacityLimiter(_READS_AT_ONCE)

    async def complete(self, page: UnfinishedPage | ReturningUser) -> RecommendationResponse:
        """The whole page; what memory has of it when the budget is exceeded, which includes the wait for a thread."""
        with anyio.move_on_after(self._budget_seconds):
            return await to_thread.run_sync(page.complete, limiter=self._limiter, abandon_on_cancel=True)
        return page.without_storage()
