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


def whole_response(read: bytearray) -> tuple[bytes, int] | None:
    """The head in lower case, and the length, of the response at the start of `read`; None if it is not complete."""
    end = read.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(read[:end]).lower()
    length = end + 4 + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return None if len(read) < length else (head, length)


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
        if (response := whole_response(self._read)) is None:
            return
        head, length = response
        if not head.startswith(b"http/1.1 200"):
            self._end(RuntimeError(head.partition(b"\r\n")[0].decode("latin-1")))
            return
        del self._read[:length]
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


async def send_at_rate(port: int, requests: Sequence[bytes], per_second: float, until: float) -> int:
    """Send each request at its time, or when the one before it was answered; returns how many were accepted.

    A loaded service may refuse some with 503, and an event may name a post that its user cannot see (404). Raises
    RuntimeError for any other refusal.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began, accepted = perf_counter(), 0
    for number, request in enumerate(requests):
        if (due := began + number / per_second) >= until or perf_counter() >= until:
            break
        await asyncio.sleep(max(due - perf_counter(), 0))
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        if not head.startswith((b"http/1.1 20", b"http/1.1 404", b"http/1.1 503")):
            raise RuntimeError(head.partition(b"\r\n")[0].decode("latin-1"))
        accepted += head.startswith(b"http/1.1 20")
    writer.close()
    return accepted


async def run_load(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, arrivals: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Send requests for some seconds; returns their number, their rate per second and latencies in milliseconds.

    `arrivals` are jobs with requests of their own, which arrive at a constant rate meanwhile.
    """
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
    others = asyncio.gather(
        *(
            send_at_rate(
                port, [request_of(job["path"], body) for body in job["bodies"]], job["per_second"], until
            )
            for job in arrivals
        )
    )
    await asyncio.gather(*(one.done for one in callers))
    arrived = await others
    lasted = perf_counter() - began
    p50, p99 = np.quantile(np.array(took) * 1000, [0.5, 0.99])
    return {
        "requests": len(took),
        "arrived": sum(arrived),
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
    load = run_load(job["port"], requests, job["connections"], job["seconds"], job["arrivals"])
    json.dump(run(load), sys.stdout)


if __name__ == "__main__":
    main()
