"""The lock of the feed that is served."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import thread_time


class FeedLock:
    """Held during a ranking, and during each step of a change.

    A thread that waits gets the lock before the thread that released it can take it again. So rankings run between the
    steps of a change.

    on_released  gets the name of a writer, and the CPU seconds of its thread while it held the lock
    """

    def __init__(self) -> None:
        self.on_released: Callable[[str, float], None] = lambda *_: None
        self._next, self._lock = Lock(), Lock()

    def __enter__(self) -> None:
        with self._next:  # held by the thread that gets the lock next
            self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    @contextmanager
    def writing(self, writer: str) -> Iterator[None]:
        """Hold the lock for one step of a change. `writer` is what changes."""
        seconds = 0.0
        try:
            with self:
                collects = gc.isenabled()
                gc.disable()  # a collection looks at the objects of all threads; it runs after the step
                began = thread_time()
                try:
                    yield
                finally:
                    seconds = thread_time() - began
                    if collects:
                        gc.enable()
        finally:
            self.on_released(writer, seconds)
