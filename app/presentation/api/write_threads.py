"""Runs use cases that wait for the database."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from app.domain.errors import StorageUnavailable
from app.presentation.api.dependencies import ApiOptions

T = TypeVar("T")


class WriteThreads:
    """Runs functions in threads, within a time budget and with bounded concurrency."""

    def __init__(self, options: ApiOptions) -> None:
        self._budget_seconds = options.track_budget_seconds
        self._limiter = anyio.CapacityLimiter(options.track_concurrency)

    async def run(self, function: Callable[[], T]) -> T:
        """The result of `function`. Raises StorageUnavailable when the budget is exceeded."""
        try:
            # The budget includes the wait for a thread. A write that is given up may still commit: the client
            # repeats it with the same event_id.
            with anyio.fail_after(self._budget_seconds):
                return await to_thread.run_sync(function, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise StorageUnavailable("the time budget of a write was exceeded") from None
