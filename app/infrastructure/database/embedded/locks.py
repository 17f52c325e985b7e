"""File locks and TCP ports that the processes of one machine share."""

import fcntl
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path


def open_lock(path: Path) -> int:
    """Open a lock file and return its descriptor. Two descriptors of one process exclude each other."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, mode: int = fcntl.LOCK_EX) -> bool:
    """Take the lock in `mode` without waiting; return whether that succeeded."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path, *, by_sharers: bool = False) -> bool:
    """Return whether no process holds the lock exclusively; with `by_sharers`, whether none holds it at all.

    The check with `by_sharers` takes the lock exclusively for an instant. Concurrent checks of that kind would
    disturb each other, so its callers exclude each other.
    """
    lock = open_lock(path)
    try:
        return try_lock(lock, fcntl.LOCK_EX if by_sharers else fcntl.LOCK_SH)
    finally:
        os.close(lock)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Check `condition` every 20 ms; return False when `seconds` have passed without success."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if a server can listen on it, else another free TCP port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
