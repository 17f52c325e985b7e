"""A TCP proxy before PostgreSQL that delays each message, as a network between distant machines does."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_CHUNK_BYTES = 65_536


@contextmanager
def distant(url: str, round_trip_seconds: float) -> Iterator[str]:
    """A DSN for the database of `url`, with a longer round trip."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = _Proxy(parts.hostname, parts.port, round_trip_seconds / 2)
    try:
        port = asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
        credentials = parts.netloc.rpartition("@")[0]
        yield parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Proxy:
    def __init__(self, host: str, port: int, delay_seconds: float) -> None:
        self._address = host, port
        self._delay_seconds = delay_seconds

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(*self._address)
        except OSError:  # the database is stopped
            to_client.close()
            return
        both = self._forward(client, to_server), self._forward(server, to_client)
        await asyncio.gather(*both, return_exceptions=True)

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Messages leave in order, each `delay_seconds` after it came."""
        loop = asyncio.get_running_loop()
        while data := await source.read(_CHUNK_BYTES):
            loop.call_later(self._delay_seconds, target.write, data)
        loop.call_later(self._delay_seconds, target.close)
