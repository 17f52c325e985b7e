"""Admission control: under overload, feed requests that waited too long for the event loop are shed."""

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from app.presentation.api.problems import OVERLOADED, ProblemError, render
from app.presentation.api.server_guard import ServerGuard

_TICK_SECONDS: Final = 0.02
_REJECTION_DELAY_SECONDS: Final = 0.25
_RETRY_AFTER_SECONDS: Final = "1"
SHED_PATHS: Final = ("/recommendations/generate", "/recommendations/updates")
"""Probes and tracking are never shed: a list can be made later, but an event is lost."""


class AdmissionControl(Collector):
    """Measures how long requests wait for the event loop.

    The loop runs all requests that are ready before its timers. So the time since the last tick of a timer is the time
    for which the requests before this one kept the loop busy.

    in_flight  requests that were received and not answered, without rejected ones
    shed       requests that were rejected
    """

    def __init__(self, max_wait_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self.in_flight = 0
        self.shed = 0
        self._max_wait_seconds = max_wait_seconds
        self._clock = clock
        self._longest_wait_seconds = 0.0  # since the last scrape
        self._ticked_at: float | None = None  # None while it does not run
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure the running event loop."""
        self.tick()
        self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self.start)

    def stop(self) -> None:
        """End the measurement; every request is admitted."""
        if self._timer is not None:
            self._timer.cancel()
        self._ticked_at = None

    def tick(self) -> None:
        """Note that the loop has run every request that was ready."""
        self._longest_wait_seconds = max(self._longest_wait_seconds, self._wait_seconds())
        self._ticked_at = self._clock()

    def is_too_late(self) -> bool:
        """True if the request that starts now has waited longer than allowed."""
        return self._wait_seconds() > self._max_wait_seconds

    def _wait_seconds(self) -> float:
        """Time that a request which starts now has waited at least."""
        return 0.0 if self._ticked_at is None else self._clock() - self._ticked_at - _TICK_SECONDS

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
    """Rejects late requests of SHED_PATHS before anything else is done for them."""

    def __init__(self, app: ASGIApp, control: AdmissionControl, guard: ServerGuard) -> None:
        self._app = app
        self._guard = guard
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        control = self._control
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._guard.closes_connections:
            send = self._guard.closing(send)
        if scope["path"].endswith(SHED_PATHS) and control.is_too_late():
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
