"""The callers of an overloaded service, in a process of their own: `python -m benchmarks.overload_callers`.

It reads a job as JSON from standard input and writes its figures as JSON to standard output. Callers of feeds give up
after a while and close their connections.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from time import perf_counter
from typing import Any, Final, cast

import numpy as np

from benchmarks.load import request_of, whole_response

_GAVE_UP: Final = "gave_up"
_BROKEN: Final = "broken"
_ARRIVAL_SECONDS: Final = 0.005
_PROBE_SECONDS: Final = 0.1
_PATIENT_SECONDS: Final = 30.0
_PROBE: Final = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection with at most one call at a time, whose outcome is a status, `gave_up` or `broken`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._outcome: asyncio.Future[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if (response := whole_response(self._read)) is not None:
            self._read.clear()
            self._end(response[0][9:12].decode())

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._end(_BROKEN)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def call(self, request: bytes, patience_seconds: float) -> str:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._outcome = loop.create_future()
        self._transport.write(request)
        timer = loop.call_later(patience_seconds, self._end, _GAVE_UP)
        try:
            return await self._outcome
        finally:
            timer.cancel()
            if self._outcome.result() == _GAVE_UP and self._transport is not None:
                self._transport.abort()

    def _end(self, outcome: str) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(outcome)


class Callers:
    """Callers of one kind, who share open connections. Counts their outcomes, and the seconds of answered calls."""

    def __init__(self, port: int, requests: Sequence[bytes], patience_seconds: float) -> None:
        self.outcomes: Counter[str] = Counter()
        self.answered_seconds: list[float] = []
        self._port = port
        self._requests: Iterator[bytes] = cycle(requests)
        self._patience_seconds = patience_seconds
        self._idle: list[Connection] = []

    async def call(self) -> None:
        began = perf_counter()
        connection = None
        while self._idle and (connection is None or not connection.is_open):
            connection = self._idle.pop()
        if connection is None or not connection.is_open:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        Connection, "127.0.0.1", self._port
                    )
            except TimeoutError:
                self.outcomes[_GAVE_UP] += 1
                return
        left = self._patience_seconds - (perf_counter() - began)
        outcome = await connection.call(next(self._requests), left)
        self.outcomes[outcome] += 1
        if outcome.startswith("20"):
            self.answered_seconds.append(perf_counter() - began)
        if connection.is_open:
            self._idle.append(connection)

    async def repeat(self, until: float, pause_seconds: float = 0.0) -> None:
        """One caller, who calls again after each outcome."""
        while perf_counter() < until:
            await self.call()
            if pause_seconds:
                await asyncio.sleep(pause_seconds)

    async def arrive(self, per_second: float, until: float) -> None:
        """Calls at a constant rate, whether earlier ones were answered or not."""
        began, sent = perf_counter(), 0
        calls = set()
        while (now := perf_counter()) < until:
            for _ in range(int((now - began) * per_second) - sent):
                calls.add(asyncio.create_task(self.call()))
                sent += 1
            calls = {one for one in calls if not one.done()}
            await asyncio.sleep(_ARRIVAL_SECONDS)
        await asyncio.gather(*calls)

    def figures(self, seconds: float) -> dict[str, Any]:
        answered = np.array(self.answered_seconds or [np.nan])
        return {
            "per_second": len(self.answered_seconds) / seconds,
            "p50_seconds": float(np.quantile(answered, 0.5)),
            "p99_seconds": float(np.quantile(answered, 0.99)),
            "longest_seconds": float(answered.max()),
            "outcomes": dict(self.outcomes),
        }


async def run_callers(job: dict[str, Any]) -> dict[str, Any]:
    """The figures of the callers of feeds, of events and of /health.

    feeds_per_second  arrivals of requests for feeds, whose callers give up after `patience_seconds`
    feed_callers      patient callers of feeds, who call again at once
    event_callers     patient callers who send an event, and the next one at once
    events_per_second arrivals of events, whose callers are patient
    """
    port, seconds = job["port"], job["seconds"]
    requests = [request_of("/recommendations/generate", body) for body in job["feeds"]]
    impatient = Callers(port, requests, job["patience_seconds"])
    feeds = Callers(port, requests, _PATIENT_SECONDS)
    events = Callers(
        port, [request_of("/interactions/track", body) for body in job["events"]], _PATIENT_SECONDS
    )
    health = Callers(port, [_PROBE], _PATIENT_SECONDS)
    until = perf_counter() + seconds
    await asyncio.gather(
        impatient.arrive(job["feeds_per_second"], until),
        *(feeds.repeat(until) for _ in range(job["feed_callers"])),
        *(events.repeat(until) for _ in range(job["event_callers"])),
        events.arrive(job["events_per_second"], until),
        health.repeat(until, _PROBE_SECONDS),
    )
    return {
        "feeds": (impatient if job["feeds_per_second"] else feeds).figures(seconds),
        "events": events.figures(seconds),
        "health": health.figures(seconds),
    }


def main() -> None:
    job = json.load(sys.stdin)
    try:
        import uvloop
    except ImportError:
        run: Any = asyncio.run
    else:
        run = uvloop.run
    json.dump(run(run_callers(job)), sys.stdout)


if __name__ == "__main__":
    main()
