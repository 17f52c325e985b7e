"""Lets batches of rankings run one after the other, in slices with rests between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final

from app.presentation.api.problems import OVERLOADED, ProblemError

MAX_WAITING: Final = 32
"""Batches. Further ones are rejected: a caller may send them later."""
SLICE_SECONDS: Final = 0.01
"""A slice ends after the ranking that exceeds it. Several rankings in a row cost less each: their data are warm."""
_REST_SHARE: Final = 1.0
"""Time of a rest, as a multiple of the slice before it: a batch uses half of an idle event loop."""


class BatchTurns:
    """For one event loop. Single requests run during rests, so that a slice is what they wait for at most."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the batches before this one. Raises ProblemError if there are too many."""
        if self._waiting >= MAX_WAITING:
            raise ProblemError(OVERLOADED)
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    @staticmethod
    async def rest_if_due(began: float) -> float:
        """Let other requests run if the slice that began at a time of `perf_counter` is over.

        Returns the beginning of the present slice.
        """
        seconds = perf_counter() - began
        if seconds < SLICE_SECONDS:
            return began
        await asyncio.sleep(_REST_SHARE * seconds)
        return perf_counter()
