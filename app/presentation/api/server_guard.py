"""Guards the running uvicorn server: bounds its connections, and ends it without breaking a call.

uvicorn has no time limit for the head of a request and no bound on idle connections, and closes idle connections at
SIGTERM though a request may be on its way.
"""

import asyncio
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Message, Send

log = structlog.get_logger()

_CHECK_SECONDS: Final = 0.1
_LINGER_SECONDS: Final = 1.0
"""Time in which requests arrive on idle connections after the last response without `Connection: close`."""
_RESERVED_FILES: Final = 100  # for the database, models, logs
_REASONS: Final = ("head_timeout", "too_many")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of the server.

    max_connections  open connections; more close idle ones
    head_seconds     time to send the head of a request
    drain_seconds    time after SIGTERM in which new connections are still accepted, while /readyz is 503
    """

    max_connections: int = 1000
    head_seconds: float = 10.0
    drain_seconds: float = 0.0


def running_server() -> uvicorn.Server | None:
    """The server of this process, which handles its signals; None if there is another one."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def _expects_head(connection: Any) -> bool:
    """True of a new connection, and of one on which a request has begun; False between two requests.

    Between two requests uvicorn closes it by a timer, which also runs if the next request began before the response.
    """
    cycle = connection.cycle
    return connection.timeout_keep_alive_task is None or (cycle and connection.scope is not cycle.scope)


class ServerGuard(Collector):
    """Closes connections that wait too long or are too many, and drains the server at SIGTERM.

    is_stopping         True from SIGTERM on
    closes_connections  True while responses close their connections
    """

    def __init__(
        self,
        limits: ServerLimits,
        find_server: Callable[[], uvicorn.Server | None] = running_server,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.is_stopping = False
        self.closes_connections = False
        self._limits = limits
        self._find_server = find_server
        self._clock = clock
        self._server: uvicorn.Server | None = None
        self._waiting: dict[
            Any, tuple[Any, float]
        ] = {}  # connection -> its last request, waits for a head since
        self._closed: Counter[str] = Counter(dict.fromkeys(_REASONS, 0))
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Guard the server of this process. Must run in its event loop."""
        self._server = self._find_server()
        if self._server is None:
            log.info("server.not_guarded", hint="connections are bounded and drained under uvicorn only")
            return
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_connections = max(1, min(self._limits.max_connections, files - _RESERVED_FILES))
        if self._max_connections < self._limits.max_connections:
            log.warning("server.connections_bounded", connections=self._max_connections, open_files=files)
        loop = asyncio.get_running_loop()
        signal.signal(
            signal.SIGTERM, lambda number, frame: loop.call_soon_threadsafe(self._stop, number, frame)
        )
        self._tasks.append(loop.create_task(self._check()))

    def stop(self) -> None:
        """End the guard."""
        for task in self._tasks:
            task.cancel()

    def closing(self, send: Send) -> Send:
        """As `send`, but the response closes its connection."""

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        return send_and_close

    @property
    def connections(self) -> int:
        """The number of open connections; 0 if there is no server to guard."""
        return 0 if self._server is None else len(self._server.server_state.connections)

    # -- connections ---------------------------------------------------------------------------------------------

    async def _check(self) -> None:
        while True:
            self.close_waiting()
            await asyncio.sleep(_CHECK_SECONDS)

    def close_waiting(self) -> None:
        """Close connections whose next request is late, and idle ones above the bound, the longest waiting first."""
        assert self._server is not None
        now = self._clock()
        connections: set[Any] = {*self._server.server_state.connections}
        idle = [one for one in connections if one.cycle is None or one.cycle.response_complete]
        waiting = {one: one.cycle for one in idle if _expects_head(one)}
        known = self._waiting
        self._waiting = {
            one: known[one] if one in known and known[one][0] is cycle else (cycle, now)
            for one, cycle in waiting.items()
        }
        late = [one for one, (_, since) in self._waiting.items() if now - since > self._limits.head_seconds]
        self._close("head_timeout", late)
        excess = len(connections) - len(late) - self._max_connections
        if excess > 0:
            oldest = sorted(self._waiting, key=lambda one: self._waiting[one][1])
            closable = dict.fromkeys((*oldest, *idle))
            self._close("too_many", list(islice((one for one in closable if one not in late), excess)))

    def _close(self, reason: str, connections: list[Any]) -> None:
        for one in connections:
            one.transport.close()
            self._waiting.pop(one, None)
        if connections:
            self._closed[reason] += len(connections)
            log.warning("connections.closed", reason=reason, connections=len(connections))

    # -- the end -------------------------------------------------------------------------------------------------

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Drain the server; a second signal ends it at once."""
        assert self._server is not None
        if self.is_stopping:
            self._server.handle_exit(number, frame)
            return
        self.is_stopping = True
        log.info("server.draining", seconds=self._limits.drain_seconds)
        self._tasks.append(asyncio.get_running_loop().create_task(self._drain(self._server, number)))

    async def _drain(self, server: uvicorn.Server, number: int) -> None:
        await asyncio.sleep(self._limits.drain_seconds)
        for listener in server.servers:  # before clients need new connections: a queued one would be reset
            listener.close()
        self.closes_connections = True
        until = self._clock() + _LINGER_SECONDS
        while server.server_state.connections and self._clock() < until:
            await asyncio.sleep(0.02)
        server.handle_exit(number, None)

    def collect(self) -> Iterator[Metric]:
        """The metrics of connections."""
        yield GaugeMetricFamily("ml_http_connections", "Open connections", self.connections)
        family = CounterMetricFamily(
            "ml_http_connections_closed", "Connections that the service closed early", labels=["reason"]
        )
        for reason, number in self._closed.items():
            family.add_metric([reason], number)
        yield family
