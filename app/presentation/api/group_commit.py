"""Stores the events of concurrent tracking calls together: a commit takes as long for many events as for one."""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from anyio import to_thread

from app.application.use_cases.track_interaction import TrackedEvent, TrackInteraction
from app.domain.errors import DomainError, StorageUnavailable
from app.presentation.api.request_threads import RequestThreads
from app.shared.monitoring import Metrics

MAX_EVENTS: Final = 200
MAX_COMMITS: Final = 3
"""Groups that are stored at once: each takes a database connection, and other work needs some too."""
_FURTHER_COMMIT_SECONDS: Final = 0.02
"""Events wait so long for the commits that run. With a database nearby, one is enough, and its groups are larger."""

_Waiting = tuple[TrackedEvent, asyncio.Future[None]]


class GroupCommit:
    """Stores events that arrive while others are being stored, by one call of `track`. A lone event does not wait.

    Each event has an outcome of its own, as if it were stored alone.
    """

    def __init__(self, threads: RequestThreads, metrics: Metrics) -> None:
        self._threads = threads
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._commits: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None  # starts a further commit

    async def store(self, track: TrackInteraction, event: TrackedEvent) -> None:
        """Return after the commit. Raises DomainError, and StorageUnavailable when the budget is exceeded."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        if not self._commits:
            self._start(track)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                _FURTHER_COMMIT_SECONDS, self._start_further, track
            )
        await self._threads.within_budget(stored)

    def _start(self, track: TrackInteraction) -> None:
        commit = asyncio.create_task(self._commit(track))
        self._commits.add(commit)

    def _start_further(self, track: TrackInteraction) -> None:
        self._timer = None
        if self._waiting and len(self._commits) < MAX_COMMITS:
            self._start(track)

    async def _commit(self, track: TrackInteraction) -> None:
        """Store groups until no event waits."""
        try:
            while group := self._next_group():
                store = partial(self._outcomes, track, [event for event, _ in group])
                for (_, stored), error in zip(group, await to_thread.run_sync(store), strict=True):
                    if stored.done():  # the call gave up
                        continue
                    if error is None:
                        stored.set_result(None)
                    else:
                        stored.set_exception(error)
        finally:
            self._commits.discard(asyncio.current_task())

    def _next_group(self) -> list[_Waiting]:
        count = min(len(self._waiting), MAX_EVENTS)
        group = [self._waiting.popleft() for _ in range(count)]
        alive = [waiting for waiting in group if not waiting[1].done()]
        return alive or (self._next_group() if self._waiting else [])

    def _outcomes(self, track: TrackInteraction, events: Sequence[TrackedEvent]) -> list[Exception | None]:
        """The error of each event; None for a stored one.

        If the group cannot be stored because of one event, its halves are stored on their own.
        """
        try:
            result = track(events, partial=True)
        except StorageUnavailable as error:
            self._metrics.count_events({"unavailable": len(events)})
            return [error] * len(events)
        except Exception as error:  # noqa: BLE001  its call raises it
            if len(events) == 1:
                self._metrics.count_events({"refused": int(isinstance(error, DomainError))})
                return [error]
            half = len(events) // 2
            return self._outcomes(track, events[:half]) + self._outcomes(track, events[half:])
        self._metrics.count_events(
            {"stored": result.accepted, "duplicate": result.duplicates, "refused": len(result.rejected)}
        )
        return [result.rejected.get(place) for place in range(len(events))]
