"""Processes that share the work of a replay.

Each holds a replay of its own, plays the whole feed, and processes its stride of the moments. So the results do not
depend on the number of workers.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.replay_job import Partial, Progress, ReplayJob, ReplayPlan

MAX_WORKERS: Final = 4  # by default
MIN_MOMENTS: Final = 500  # of each worker, by default: a process takes seconds to start
_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")  # version 2, as in a container
_GROWTH: Final = 2  # size of a process at the end of a replay over its size before, about


def worker_count(setting: int | None, moments: int) -> int:
    """`setting`, or as many workers as the cores, half of the free memory and the number of moments allow."""
    if setting is not None:
        return setting
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    affordable = 1 + _affordable_processes()
    return max(1, int(min(MAX_WORKERS, cores, moments // MIN_MOMENTS, affordable)))


class ReplayWorkers:
    """The workers of a plan: this process is the first, `count - 1` others are started.

    All process their moments up to the same times. There their results are returned, and they receive a new model.
    Use it as a context manager, whose end ends the processes.
    """

    def __init__(self, plan: ReplayPlan, count: int) -> None:
        self._job = ReplayJob(plan, 0, count)
        self._executors: list[ProcessPoolExecutor] = []
        self._begun: list[Future[None]] = []
        if count == 1:
            return
        # A fork of this process would copy locks that its other threads hold. A fork server imports this module once;
        # macOS forks no process safely.
        context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        context.set_forkserver_preload([__name__])
        self._stopped = context.Event()
        # Pickled here, because an executor pickles in a thread of its own, while this process plays the replay.
        copy = pickle.dumps(plan)
        for first in range(1, count):
            # One executor for each process, because a worker keeps its replay from one call to the next.
            executor = ProcessPoolExecutor(
                1, mp_context=context, initializer=_prepare, initargs=(self._stopped,)
            )
            self._executors.append(executor)
            self._begun.append(executor.submit(_begin, copy, first, count))

    def process_until(
        self, stop: float, model: ChoiceModel | None, progress: Progress | None = None
    ) -> list[Partial]:
        """Process the remaining moments before `stop` with a model, and return the results of each worker.

        `progress` is called for this process's moments. Raises ChildProcessError when a worker process was killed.
        """
        try:
            others = [executor.submit(_process_until, stop, model) for executor in self._executors]
            running: list[Future[Any]] = [*self._begun, *others]

            def check(done: int, total: int) -> None:
                for future in running:
                    if future.done():
                        future.result()  # raises at once what ended the worker
                if progress is not None:
                    progress(done, total)

            own = self._job.process_until(stop, model, check)
            for begun in self._begun:
                begun.result()
            return [own, *(other.result() for other in others)]
        except BrokenProcessPool:
            raise ChildProcessError(
                "a worker process of the replay ended early; if memory is short, set TRAINING_WORKERS=1"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the worker processes, each after the moment that it is processing."""
        if self._executors:
            self._stopped.set()
        for executor in self._executors:
            executor.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """The first process needs no more results."""


_worker: dict[str, Any] = {}  # in a worker process: its "job", and the event "stopped"


def _prepare(stopped: Event) -> None:
    """Prepare a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops the others
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    threadpool_limits(limits=1)
    _worker["stopped"] = stopped


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _begin(plan: bytes, first: int, count: int) -> None:
    _worker["job"] = ReplayJob(pickle.loads(plan), first, count)  # noqa: S301 - made by `ReplayWorkers`


def _process_until(stop: float, model: ChoiceModel | None) -> Partial:
    def check(_done: int, _total: int) -> None:
        if _worker["stopped"].is_set():
            raise _Stopped

    partial: Partial = _worker["job"].process_until(stop, model, check)
    return partial


def _affordable_processes() -> float:
    """How many processes of the size that this one will have fit into half of the free memory."""
    try:
        size = _kilobytes(Path("/proc/self/status"), "VmRSS") * _GROWTH
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
