"""What it costs to prepare a slice of a long log on Spark: `python -m benchmarks.spark_preparation --folder EXPORT`.

The executors read the export, count its events, and prepare the last day for the requests of some users. One executor
fits the neighbour model of that day and finds the neighbours of these users. The driver never holds the events.
`--local` does the same in this process with the dataset of the export, so that the neighbours can be compared.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.config.settings import read_settings
from app.shared.command_line import OneLineParser, whole_number
from benchmarks.slice_preparation import Catalogue, find_locally, find_on_cluster
from data.command_line import run_command
from training.command_line import export_folder
from training.spark.requirements import check_requirements

_PROG: Final = "benchmarks.spark_preparation"


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    return run_command(_PROG, lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    catalogue = Catalogue.read(args.folder)
    users = catalogue.sampled_users(min(args.users, len(catalogue.dataset.users)))
    result = find_locally(catalogue, users) if args.local else _find_on_spark(catalogue, users, args.parts)
    print(json.dumps(result, indent=1))


def _find_on_spark(catalogue: Catalogue, users: NDArray[np.intp], n_parts: int | None) -> dict[str, Any]:
    check_requirements()
    from training.spark.spark_cluster import SparkCluster
    from training.spark.spark_engine import spark_session

    with spark_session(read_settings().spark_master) as session:
        return find_on_cluster(catalogue, users, SparkCluster(session), n_parts)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description=__doc__)
    default = "(default: %(default)s)"
    parser.add_argument(
        "--folder",
        type=export_folder,
        required=True,
        metavar="DIR",
        help="an export, such as of benchmarks.training",
    )
    parser.add_argument("--users", type=whole_number(1), default=500, help=f"users with a request {default}")
    parser.add_argument("--parts", type=whole_number(1), help="parts of the users (default: as a replay)")
    parser.add_argument("--local", action="store_true", help="in this process, without Spark")
    return parser


if __name__ == "__main__":
    sys.exit(main())
