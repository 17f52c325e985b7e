"""Processes that share the work of a replay.

Each worker holds its own replay, applies the whole feed, and processes the requests of its users. So the results do
not depend on the number of workers.
"""

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.evaluation.replay_job import FittedRanking, Progress, ReplayJob, ReplayPlan, Result

MAX_WORKERS: Final = 4  # by default
MIN_EVENTS_PER_WORKER: Final = 500  # by default: a process takes seconds to start
_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")  # version 2, as in a container
_PROCESS_GROWTH: Final = 2  # approximate memory of a process at the end of a replay, relative to its start


def worker_count(setting: int | None, n_events: int) -> int:
    """`setting`, or as many workers as the cores, half of the free memory and the number of events allow."""
    if setting is not None:
        return setting
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    affordable = 1 + _affordable_processes()
    return max(1, int(min(MAX_WORKERS, cores, n_events // MIN_EVENTS_PER_WORKER, affordable)))


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Replays in processes of this machine; `workers` is as in `worker_count`."""

    workers: int | None = None

    def start(self, plan: ReplayPlan) -> "ReplayWorkers":
        """The workers of a plan."""
        return ReplayWorkers(plan, worker_count(self.workers, len(plan.event_rows)))


LOCAL_ENGINE: Final = LocalEngine()


class ReplayWorkers:
    """The workers of a plan. This process is the first; the class starts `count - 1` others.

    All workers process their requests up to the same times. Then they return results and receive the next refit.
    Leaving the context manager ends the processes.
    """

    def __init__(self, plan: ReplayPlan, count: int) -> None:
        self._job = ReplayJob(plan, 0, count)
        self._executors: list[ProcessPoolExecutor] = []
        if count == 1:
            return
        # A fork of this process would copy locks that its other threads hold. A fork server imports this module once;
        # macOS forks no process safely.
        context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        context.set_forkserver_preload([__name__])
        self._stopped = context.Event()
        # One executor for each process, because a worker keeps its replay from one call to the next. Each process
        # starts with the first call, and receives the plan before this process changes the replay.
        self._executors = [
            ProcessPoolExecutor(
                1, mp_context=context, initializer=_prepare, initargs=(self._stopped, plan, first, count)
            )
            for first in range(1, count)
        ]

    def process_until(self, stop: float, fitted: FittedRanking, progress: Progress) -> list[Result]:
        """Process the remaining requests before the time `stop`, and return the results of all workers.

        `progress` reports the requests of this process. Raises ChildProcessError when a worker process is killed.
        """
        try:
            others = [executor.submit(_process_until, stop, fitted) for executor in self._executors]

            def check(done: int, total: int) -> None:
                for future in others:
                    if future.done():
                        future.result()  # raises the error that ended the worker
                progress(done, total)

            results = self._job.process_until(stop, fitted, check)
            for other in others:
                results += other.result()
            return results
        except (BrokenProcessPool, BrokenPipeError):
            raise ChildProcessError(
                "a worker process of the replay ended early; if memory is short, set TRAINING_WORKERS=1"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End each worker process after its current request."""
        for executor in self._executors:
            self._stopped.set()
            executor.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """The first process has stopped the replay."""


_worker: dict[str, Any] = {}  # of a worker process: its "job", and the event "stopped"


def _prepare(stopped: Event, plan: ReplayPlan, first: int, count: int) -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops the others
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    threadpool_limits(limits=1)
    _worker.update(stopped=stopped, job=ReplayJob(plan, first, count))


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _process_until(stop: float, fitted: FittedRanking) -> Any:
    def check(_done: int, _total: int) -> None:
        if _worker["stopped"].is_set():
            raise _Stopped

    return _worker["job"].process_until(stop, fitted, check)


def _affordable_processes() -> float:
    """The number of processes of this size, after its expected growth, that fit into half of the free memory."""
    try:
        size = _kilobytes(Path("/proc/self/status"), "VmRSS") * _PROCESS_GROWTH
        free = _kilobytes(Path("/proc/meminfo"), "MemAvailable")
    except (OSError, StopIteration):
        return np.inf  # not Linux: unknown
    with suppress(OSError, ValueError):  # no control group, or "max": no limit
        limit, used = (
            int(_CONTROL_GROUP.joinpath(name).read_text()) for name in ("memory.max", "memory.current")
        )
        free = min(free, (limit - used) / 1024)
    return max(free, 0) / 2 // size


def _kilobytes(path: Path, name: str) -> float:
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{name}:"))
    return float(line.split()[1])
