"""An application served over real HTTP from a thread of the test."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp


@contextmanager
def served(app: ASGIApp, *, root_path: str = "") -> Iterator[httpx.Client]:
    """A client of `app` on a free port of the loopback; `root_path` as uvicorn's --root-path."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=2, root_path=root_path
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # the listener queues connections, so the first request waits until the application has started
        with httpx.Client(base_url=address, timeout=20, verify=False) as client:
            client.get("/livez")
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
