"""The memory that training needs, and the limit that a command sets to it."""

import argparse
import re
from typing import Final

from app.infrastructure.config.settings import Settings
from app.shared.exceptions import ConfigurationError

BYTES_PER_EVENT: Final = 480
BASE_BYTES: Final = 600 << 20
"""The memory of a process that trains, with usual numbers of users and posts (docs/scaling.md)."""
_SIZE_FORM: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])(?:iB|B)?", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """Add --memory-limit."""
    parser.add_argument(
        "--memory-limit",
        type=memory_size,
        metavar="4GiB",
        help="do not start if the events of the window need more; one process, unless TRAINING_WORKERS is set",
    )


def memory_size(text: str) -> int:
    """An argument type: bytes, given in KiB, MiB, GiB or TiB."""
    found = _SIZE_FORM.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512MiB or 4GiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def workers_within(limit_bytes: int | None, n_events: int, settings: Settings) -> int | None:
    """The number of worker processes for a feed of `n_events`, as `worker_count` takes it; one if there is a limit.

    Raises ConfigurationError if the processes need more than the limit.
    """
    if limit_bytes is None:
        return settings.training_workers
    workers = settings.training_workers or 1
    needed = workers * (BASE_BYTES + n_events * BYTES_PER_EVENT)
    if needed > limit_bytes:
        raise ConfigurationError(
            f"--memory-limit {_in_gib(limit_bytes)}: {n_events:,} interactions need about {_in_gib(needed)} with "
            f"TRAINING_WORKERS={workers}; use a smaller TRAINING_WINDOW_DAYS "
            f"(now {settings.training_window_days:g}), fewer workers or a larger limit"
        )
    return workers


def _in_gib(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB"
