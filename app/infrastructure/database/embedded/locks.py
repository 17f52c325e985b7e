"""What processes of one machine claim from each other: locks, ports, and files that are whole or absent."""

import fcntl
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path


def open_lock(path: Path) -> int:
    """A descriptor of its own, so that two in one process exclude each other as well."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int) -> bool:
    """Take it alone, now or not at all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path, *, of_sharers: bool = False) -> bool:
    """Whether nobody holds the lock alone; with `of_sharers`, whether nobody holds it at all.

    The first look disturbs no other look; the second one does, so it is for those who take turns.
    """
    lock = open_lock(path)
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if of_sharers else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look every 20 ms; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port != 0


def write_private(path: Path, text: str) -> None:
    """Readable by its owner alone from the first byte; whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
