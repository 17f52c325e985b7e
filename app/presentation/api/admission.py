"""Admission control: feed requests take turns on the event loop, and those that would wait too long are shed.

A ranking occupies the event loop for milliseconds. If all feed requests that are ready ran one after the other, events,
probes and new connections would wait for all of them: the loop accepts one connection in each of its cycles.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from app.presentation.api.problems import OVERLOADED, ProblemError, render
from app.presentation.api.server_guard import ServerGuard

_TICK_SECONDS: Final = 0.02
_TURN_SECONDS: Final = 0.002
"""A turn has so many requests that they take about this long: one ranking, or several cached responses."""
_OTHERS_SHARE: Final = 0.45
"""Time of other work between two turns, as a multiple of the turn: feeds may use two thirds of a busy loop."""
_BACKLOG_SHARE: Final = 1.0
"""The same after the loop has not been at rest for _BACKLOG_SECONDS: connections wait where nothing sees them."""
_BACKLOG_SECONDS: Final = 0.25
_REST_CYCLES: Final = 2
"""The loop is at rest after as many cycles without a new request or connection: a read shows in the cycle after it."""
_SMOOTHING: Final = 0.0625
_REJECTION_DELAY_SECONDS: Final = 0.25
_RETRY_AFTER_SECONDS: Final = "1"
SHED_PATHS: Final = (
    "/recommendations/generate",
    "/recommendations/updates",
    "/recommendations/rank",
    "/similar",
    "/suggested-follows",
)
"""Probes and tracking are never shed: a list can be made later, but an event is lost."""


class FeedTurns:
    """Lets feed requests run in turns. Between two turns, the loop does what else there is, within a share of the time.

    For one event loop. What other work takes beyond its share is subtracted from its next share.
    """

    def __init__(
        self, max_wait_seconds: float, arrivals: Callable[[], int], clock: Callable[[], float] = perf_counter
    ) -> None:
        """`arrivals` returns a number that changes when a request or a connection arrives.

        With `max_wait_seconds` below 0, no request gets a turn.
        """
        self._max_wait_seconds = max_wait_seconds
        self._arrivals = arrivals
        self._clock = clock
        self._waiting: deque[tuple[asyncio.Future[bool], float]] = deque()  # turn, waits since
        self._request_seconds = 0.0  # smoothed
        self._is_taking_turns = False
        self._free_places = 1  # in this turn
        self._turn_size = 0
        self._turn_began = 0.0
        self._turn_ended = 0.0
        self._turn_runs = False
        self._others_seconds = 0.0  # that are left for other work; below 0 if it took more than its share
        self._cycles_at_rest = 0
        self._last_arrivals = 0
        self._last_rest = clock()

    async def wait(self) -> bool:
        """Wait for a turn. False if it would come too late."""
        if self._free_places and not self._waiting and self._max_wait_seconds >= 0:
            self._free_places -= 1
            self._turn_size += 1
            if not self._is_taking_turns:
                self._is_taking_turns = True
                self._last_rest, self._others_seconds = self._clock(), 0.0
                self._begin_turn()
            return True
        if (len(self._waiting) + 1) * self._request_seconds > self._max_wait_seconds:
            return False
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, self._clock()))
        return await turn

    def _begin_turn(self) -> None:
        self._turn_began, self._turn_runs = self._clock(), True
        asyncio.get_running_loop().call_soon(self._cycle)

    def _cycle(self) -> None:
        """Called once in each cycle of the loop, until no request waits."""
        now, arrivals = self._clock(), self._arrivals()
        self._cycles_at_rest = self._cycles_at_rest + 1 if arrivals == self._last_arrivals else 0
        self._last_arrivals = arrivals
        if self._turn_runs:
            self._turn_runs, self._turn_ended, self._free_places, self._cycles_at_rest = False, now, 0, 0
            is_behind = now - self._last_rest > _BACKLOG_SECONDS
            share = _BACKLOG_SHARE if is_behind else _OTHERS_SHARE
            self._others_seconds += share * (now - self._turn_began)
        left = self._others_seconds - (now - self._turn_ended)
        if self._cycles_at_rest >= _REST_CYCLES:
            self._last_rest, left = now, min(left, 0.0)
        elif left > 0:
            asyncio.get_running_loop().call_soon(self._cycle)
            return
        self._others_seconds = max(left, -_BACKLOG_SECONDS)
        seconds = (now - self._turn_began) / max(self._turn_size, 1)
        change = seconds - self._request_seconds
        self._request_seconds += _SMOOTHING * change if self._request_seconds else change
        self._next_turn(now)

    def _next_turn(self, now: float) -> None:
        size = max(1, int(_TURN_SECONDS / self._request_seconds)) if self._request_seconds else 1
        self._turn_size = 0
        while self._waiting and self._turn_size < size:
            turn, since = self._waiting.popleft()
            if turn.done():  # cancelled
                continue
            in_time = now - since <= self._max_wait_seconds
            turn.set_result(in_time)
            self._turn_size += in_time
        self._free_places = size - self._turn_size
        self._is_taking_turns = self._turn_size > 0
        if self._is_taking_turns:
            self._begin_turn()


class AdmissionControl(Collector):
    """Counts requests, and measures how long they wait for the event loop.

    The loop runs all callbacks that are ready before its timers. So the time since the last tick of a timer is the time
    for which the callbacks before this one kept the loop busy.

    in_flight  requests that were received and not answered, without rejected ones
    received   all requests
    shed       requests that were rejected
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.in_flight = 0
        self.received = 0
        self.shed = 0
        self._clock = clock
        self._longest_wait_seconds = 0.0  # since the last scrape
        self._ticked_at: float | None = None  # None while it does not run
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure the running event loop."""
        self.tick()
        self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self.start)

    def stop(self) -> None:
        """End the measurement."""
        if self._timer is not None:
            self._timer.cancel()
        self._ticked_at = None

    def tick(self) -> None:
        """Note that the loop has run every callback that was ready."""
        now = self._clock()
        if self._ticked_at is not None:
            self._longest_wait_seconds = max(
                self._longest_wait_seconds, now - self._ticked_at - _TICK_SECONDS
            )
        self._ticked_at = now

    def collect(self) -> Iterator[Metric]:
        """The metrics of the load."""
        yield GaugeMetricFamily("ml_http_requests_in_flight", "Requests without an answer", self.in_flight)
        yield CounterMetricFamily("ml_http_requests_shed", "Feed requests rejected under overload", self.shed)
        yield GaugeMetricFamily(
            "ml_event_loop_wait_seconds",
            "Longest wait for the event loop since the last scrape",
            self._longest_wait_seconds,
        )
        self._longest_wait_seconds = 0.0


class AdmissionMiddleware:
    """Lets requests of SHED_PATHS wait for their turn, and rejects late ones before anything else is done for them.

    The scope has the time of the request's arrival as `feed.began`, in seconds of `perf_counter`.
    """

    def __init__(self, app: ASGIApp, control: AdmissionControl, guard: ServerGuard, turns: FeedTurns) -> None:
        self._app = app
        self._guard = guard
        self._control = control
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        control = self._control
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        control.received += 1
        scope["feed.began"] = perf_counter()
        if self._guard.closes_connections:
            send = self._guard.closing(send)
        if scope["path"].endswith(SHED_PATHS) and not await self._turns.wait():
            control.shed += 1
            # callers that repeat a rejected call at once would take the time of the others
            await asyncio.sleep(_REJECTION_DELAY_SECONDS)
            rejection = ProblemError(OVERLOADED, headers={"retry-after": _RETRY_AFTER_SECONDS})
            await render(scope, rejection)(scope, receive, send)
            return
        control.in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            control.in_flight -= 1
