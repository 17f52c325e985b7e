"""What training costs by the length of the log: `python -m benchmarks.training --events 5000000,50000000 --folder DIR`.

Archives of several lengths, with the same number of events per day, of users and of posts, are made once in the
folder, as exports. Training reads each of them in a process of its own, whose CPU time and largest memory are measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from app.infrastructure.database.embedded import CHECKOUT
from app.shared.command_line import OneLineParser, fail, positive, whole_number
from benchmarks.archive_export import ArchiveSize, write_archive
from data.log_export.manifest import is_export

_PROG: Final = "benchmarks.training"
_COMPLETED: Final = (0, 1)  # 1: the model is rejected


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """CPU seconds and the largest resident memory in MiB of one training on an archive."""

    events: int
    days: int
    cpu_seconds: float
    peak_mib: int


def train(folder: Path, *, window_days: float, learn_from: int) -> tuple[float, int]:
    """(CPU seconds, peak MiB) of one training on an export, in one process. Raises ChildProcessError if it fails."""
    with tempfile.TemporaryDirectory() as models:
        variables = {"TRAINING_WORKERS": "1", "TRAINING_WINDOW_DAYS": str(window_days), "MODELS_DIR": models}
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "training.train"),
                *("--interactions", str(folder.resolve()), "--learn-from", str(learn_from)),
            ],
            cwd=CHECKOUT,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in _COMPLETED:
        raise ChildProcessError(f"training on {folder} ended with {code}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    costs = []
    for events in args.events:
        size = ArchiveSize(events, args.users, args.posts, args.events_per_day)
        folder = args.folder / "-".join(
            map(str, ("archive", events, args.users, args.posts, args.events_per_day))
        )
        if not is_export(folder):
            write_archive(folder, size)
        try:
            cost = train(folder, window_days=args.window_days, learn_from=args.learn_from)
        except ChildProcessError as error:
            return fail(_PROG, error)
        costs.append(TrainingCost(events, size.days, *cost))
        if not args.json:
            print(
                f"{events:>12,} events of {size.days:,} days: {cost[0]:8.1f} s of CPU, {cost[1]:,} MiB",
                flush=True,
            )
    if args.json:
        print(json.dumps([asdict(cost) for cost in costs]))
    return 0


def _sizes(text: str) -> list[int]:
    """An argument type: numbers of events, separated by commas."""
    return [whole_number(1)(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description=__doc__)
    default = "(default: %(default)s)"
    add = parser.add_argument
    add("--events", type=_sizes, default=[500_000, 5_000_000], metavar="N,N,…", help="lengths of the logs")
    add("--folder", type=Path, required=True, metavar="DIR", help="where the archives are made and kept")
    add("--users", type=whole_number(2), default=100_000, help=default)
    add("--posts", type=whole_number(1), default=20_000, help=default)
    add("--events-per-day", type=whole_number(1), default=50_000, help=default)
    add("--window-days", type=positive, default=100.0, help=f"TRAINING_WINDOW_DAYS {default}")
    add("--learn-from", type=whole_number(1), default=1000, help=f"past requests to learn from {default}")
    add("--json", action="store_true", help="print the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
