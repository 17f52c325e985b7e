"""Runs in threads what would hold up the event loop: waiting for the database, and decoding batches."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from app.domain.errors import StorageUnavailable

T = TypeVar("T")
_BATCHES_AT_ONCE = 2


class RequestThreads:
    """Runs functions in threads, with bounded concurrency and within a time budget."""

    def __init__(self, concurrency: int, budget_seconds: float) -> None:
        self._budget_seconds = budget_seconds
        self._limiter = anyio.CapacityLimiter(concurrency)
        self._batch_limiter = anyio.CapacityLimiter(_BATCHES_AT_ONCE)

    async def run(self, function: Callable[[], T]) -> T:
        """The result of `function`. Raises StorageUnavailable when the budget is exceeded."""
        # The budget includes the wait for a thread. A write that is given up may still commit: the client repeats it
        # with the same event_id.
        return await self.within_budget(
            to_thread.run_sync(function, limiter=self._limiter, abandon_on_cancel=True)
        )

    async def within_budget(self, result: Awaitable[T]) -> T:
        """The result. Raises StorageUnavailable when the budget is exceeded."""
        try:
            with anyio.fail_after(self._budget_seconds):
                return await result
        except TimeoutError:
            raise StorageUnavailable("the time budget of a request was exceeded") from None

    async def decode_batch(self, function: Callable[[], T]) -> T:
        """The result of `function`, which validates hundreds of items.

        That takes milliseconds, which would delay feeds on the event loop, and several times the memory of the body.
        """
        return await to_thread.run_sync(function, limiter=self._batch_limiter)
