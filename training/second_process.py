"""A second process that samples a part of the offers, where the machine has a core for it."""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from training.offers import OfferBook
from training.replay import Replay

_WORTH_IT = 1000  # lessons


def is_worth_it(lessons: int) -> bool:
    """Whether so many are enough, there is a second core, and a process can be forked safely."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    # macOS can fork, but its system libraries do not survive it
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return lessons >= _WORTH_IT and cores > 1 and forks


class SecondProcess:
    """Plays the same replay by itself and samples its lessons into a shared book.

    Every lesson draws from a seed of its own, so who samples it makes no difference.
    """

    def __init__(
        self, replay: Replay, book: OfferBook, lessons: NDArray[np.intp], stops: list[float]
    ) -> None:
        """Start, with `lessons` (numbers, ascending) and the times before which they will be waited for, ascending.

        `replay` has not been played yet, and `book` is shared.
        """
        self._book = book
        context = multiprocessing.get_context("fork")
        self._reports, reports = context.Pipe(duplex=False)
        self._reached = -np.inf
        self._process = context.Process(
            target=_sample, args=(replay, book, lessons, stops, reports), daemon=True
        )
        self._process.start()
        reports.close()

    def wait(self, stop: float) -> None:
        """Until its lessons before one of the stops are in the book. Raises ChildProcessError when it died."""
        while self._reached < stop:
            try:
                self._reached, whole = self._reports.recv()
            except (EOFError, OSError):
                raise ChildProcessError("the process that samples what to learn from ended early") from None
            self._book.keep(whole)

    def close(self) -> None:
        """Stop it where it is."""
        self._process.terminate()
        self._process.join()
        self._reports.close()


def _sample(
    replay: Replay, book: OfferBook, lessons: NDArray[np.intp], stops: list[float], reports: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for it ends it
    moments = book.lessons.moments[lessons]
    starts = np.searchsorted(replay.events.time[moments], [-np.inf, *stops])
    for start, end, stop in zip(starts, starts[1:], stops, strict=False):
        for lesson, event in zip(lessons[start:end].tolist(), moments[start:end].tolist(), strict=True):
            book.sample(lesson, replay.request(event))
        reports.send((stop, book.hand_over()))
