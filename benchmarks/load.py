"""A load client in a process of its own: keep-alive connections, each asking again as soon as it was answered.

It reads a job as JSON from standard input and writes its figures as JSON to standard output. Raw sockets and no HTTP
library, so that on a small machine the client does not take the time of what it measures.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any, cast

import numpy as np


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Sequence[bytes], first: int, until: float, took: list[float]) -> None:
        self._requests = requests
        self._next = first
        self._until = until
        self._took = took
        self._asked_at = 0.0
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._read[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._read) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self._end(RuntimeError(head.partition(b"\r\n")[0].decode("latin-1")))
            return
        del self._read[: end + 4 + length]
        now = perf_counter()
        self._took.append(now - self._asked_at)
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server hung up"))

    def _ask(self) -> None:
        assert self._transport is not None
        self._next = (self._next + 1) % len(self._requests)
        self._asked_at = perf_counter()
        self._transport.write(self._requests[self._next])

    def _end(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def run_load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Send requests for some seconds; returns their number, their rate per second and latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    began = perf_counter()
    until = began + seconds
    callers = []
    for one in range(connections):
        first = one * len(requests) // connections
        _, caller = await loop.create_connection(
            lambda first=first: Caller(requests, first, until, took),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        callers.append(caller)
    await asyncio.gather(*(one.done for one in callers))
    lasted = perf_counter() - began
    p50, p99 = np.quantile(np.array(took) * 1000, [0.5, 0.99])
    return {
        "requests": len(took),
        "per_second": len(took) / lasted,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def request_of(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def main() -> None:
    job = json.load(sys.stdin)
    requests = [request_of(job["path"], body) for body in job["bodies"]]
    try:
        import uvloop
    except ImportError:
        run: Any = asyncio.run
    else:
        run = uvloop.run
    json.dump(run(run_load(job["port"], requests, job["connections"], job["seconds"])), sys.stdout)


if __name__ == "__main__":
    main()
