"""Progress of long work."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console

Progress = Callable[[str, int, int | None], None]
"""Receives the name of a stage, the steps that are done, and the number of steps (None while it is unknown)."""


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """One bar for each stage on the standard error, on a terminal only."""
    columns = (
        progress.TextColumn("{task.description:>12}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    tasks: dict[str, progress.TaskID] = {}
    with progress.Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show
