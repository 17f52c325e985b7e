"""A TCP proxy before PostgreSQL that counts round trips."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK_BYTES = 65_536


@dataclass
class CountingProxy:
    """`url` leads through the proxy; a round trip is a message of the client and the response to it."""

    url: str
    round_trips: int = 0


@contextmanager
def counting_proxy(url: str) -> Iterator[CountingProxy]:
    """A proxy for one connection at a time to the database of `url`."""
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        credentials = parts.netloc.rpartition("@")[0]
        proxy = CountingProxy(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl())

        def forward(source: socket.socket, target: socket.socket, *, counts: bool) -> None:
            while data := source.recv(_CHUNK_BYTES):
                proxy.round_trips += counts
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            client, _ = listener.accept()
            server = socket.create_connection((parts.hostname, parts.port))
            with client, server:
                back = threading.Thread(target=forward, args=(server, client), kwargs={"counts": False})
                back.start()
                forward(client, server, counts=True)
                back.join(10)

        thread = threading.Thread(target=serve)
        thread.start()
        yield proxy
        thread.join(10)
