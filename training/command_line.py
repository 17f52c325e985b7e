"""Shared by the commands of training: their arguments and JSON output."""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from app.shared.command_line import warn, whole_number
from data.feed_arguments import timestamp
from data.log_export.manifest import is_export

_JSON: Final = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="null"))


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add --seed."""
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="seed of all random numbers (default: 0)"
    )


def add_test_from(parser: argparse.ArgumentParser) -> None:
    """Add --test-from."""
    parser.add_argument(
        "--test-from",
        type=lambda text: timestamp(text).timestamp(),
        metavar="TIME",
        help="start of the test part (default: after 80 %% of the interactions)",
    )


def output_file(text: str) -> Path:
    """An argument type: a file to write, in an existing folder."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path}: is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path}: its folder does not exist")
    return path


def plot_file(text: str) -> Path:
    """An argument type: a file of a format that can be drawn."""
    path = Path(text)
    if path.suffix not in {".svg", ".png", ".pdf"}:
        raise argparse.ArgumentTypeError(f"{text!r} is no plot; use a name such as plot.svg")
    return path


def export_folder(text: str) -> Path:
    """An argument type: a folder of `data.export_log`."""
    path = Path(text)
    if not is_export(path):
        raise argparse.ArgumentTypeError(
            f"{path}: is not a folder of data.export_log; import other files with data.import_feed"
        )
    return path


def warn_of_missing_intervals(prog: str, users: NDArray[np.integer[Any]]) -> None:
    """Print a warning if too few users chose for a figure or an interval. `users` (n,) are those of the requests."""
    if not len(users):
        warn(prog, "no user chose another user's post in the test part: there are no figures")
    elif len(np.unique(users)) == 1:
        warn(prog, "one user made all requests: there are no intervals, which come from several users")


def print_result(args: argparse.Namespace, value: Any, text: str) -> None:
    """Print a result: as JSON with --json, else as text."""
    if args.json:
        print_json(value)
    else:
        print(text)


def print_json(value: Any) -> None:
    """Print one JSON document to standard output. Dataclasses become objects, and NaN becomes null."""
    print(json.dumps(_JSON.dump_python(value, mode="json"), indent=2))
