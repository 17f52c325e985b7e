"""A second process that does a part of a replay's work, where the machine has a core for it."""

import mmap
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

_WORTH_IT = 1000  # moments
_STUCK = 60.0  # seconds: a turn is taken in microseconds, unless who takes it is killed in them


def is_worth_it(moments: int) -> bool:
    """Whether so many are enough, there is a second core, and a process can be forked safely."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    # macOS can fork, but its system libraries do not survive it
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return moments >= _WORTH_IT and cores > 1 and forks


class Work(Protocol):
    """What is done at the moments of a replay, whichever process does it.

    `times` (n,) of the moments, ascending.
    """

    times: NDArray[np.float64]

    def attend(self, at: int) -> None:
        """Do what is to be done at the moment of this number, with what was last told."""

    def tell(self, told: Any) -> None:
        """What is to be known from now on."""

    def hand_over(self) -> Any:
        """What was found since the last time and is not in shared memory; the caller's from now on."""

    def keep(self, found: Any) -> None:
        """Take over what the other process handed over."""


class Turns:
    """The numbers from 0 to `n` - 1, each taken once, in order, by whichever process asks next."""

    def __init__(self, n: int, *, shared: bool) -> None:
        self._n = n
        self._next = multiprocessing.get_context("fork").Value("q", 0) if shared else None

    def __iter__(self) -> Iterator[int]:
        """Those that fall to this process. Raises ChildProcessError when the other was killed in taking one."""
        if self._next is None:
            yield from range(self._n)
            return
        lock = self._next.get_lock()
        while True:
            if not lock.acquire(timeout=_STUCK):
                raise ChildProcessError("the second process of the replay ended while it took its turn")
            try:
                at = self._next.value
                self._next.value = at + 1
            finally:
                lock.release()
            if at >= self._n:
                return
            yield at


class SecondProcess:
    """Plays the same replay by itself and takes its turns at the work.

    It stops before each of the `stops` (times, ascending) that one of its moments has reached: there it hands over what
    it found, and waits to be told what is known from then on.
    """

    def __init__(self, work: Work, turns: Turns, stops: Sequence[float]) -> None:
        """Start. The replay has not been played yet, and what `work` writes to is shared."""
        self._work = work
        context = multiprocessing.get_context("fork")
        self._line, theirs = context.Pipe()
        self._reached = -np.inf
        self._process = context.Process(
            target=_play, args=(work, turns, stops, self._line, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def wait(self, stop: float = np.inf) -> None:
        """Until its work before a stop is done. Raises ChildProcessError when it died."""
        while self._reached < stop:
            try:
                self._reached, found = self._line.recv()
            except (EOFError, OSError):
                raise ChildProcessError("the second process of the replay ended early") from None
            self._work.keep(found)

    def tell(self, told: Any) -> None:
        """What is known from the next stop on, once for each."""
        with suppress(OSError):  # it died, which `wait` tells
            self._line.send(told)

    def close(self) -> None:
        """Stop it where it is."""
        self._process.terminate()
        self._process.join()
        self._line.close()


def _play(work: Work, turns: Turns, stops: Sequence[float], others: Connection, line: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for it ends it
    others.close()  # so that the line ends with who holds it
    first, passed = os.getppid(), 0
    with suppress(EOFError, BrokenPipeError):  # the first process is gone
        for at in turns:
            while passed < len(stops) and work.times[at] >= stops[passed]:
                line.send((stops[passed], work.hand_over()))
                passed += 1
                work.tell(line.recv())
            if os.getppid() != first:
                return
            work.attend(at)
        line.send((np.inf, work.hand_over()))
        while True:
            line.recv()  # there may be stops that none of its moments had reached


def zeros(shape: tuple[int, ...], dtype: DTypeLike, *, shared: bool) -> NDArray[Any]:
    """Zeros; `shared`: a process that is forked from this one writes to the same."""
    if not shared:
        return np.zeros(shape, dtype)
    size = int(np.prod(shape))
    memory = mmap.mmap(-1, max(size * np.dtype(dtype).itemsize, 1))  # anonymous
    return np.frombuffer(memory, dtype, size).reshape(shape)
