"""A model as one file for another machine: `python -m training.export_model --version V --output FILE`.

`--import FILE` registers it there.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, existing_file, fail
from training.registry import REFUSALS, print_json

_PROG: Final = "training.export_model"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    try:
        registry = open_registry(read_settings())
        if args.source is None:
            record = registry.export(args.version, args.output)
            said = f"{args.output}: {record.version}, {args.output.stat().st_size / 1e6:.1f} MB"
        else:
            record = registry.import_file(args.source, promote=args.promote)
            said = f"registered: {record.version} ({record.status})"
    except REFUSALS as error:
        return fail(_PROG, error)
    except OSError as error:
        return fail(_PROG, f"--output {args.output}: cannot be written: {error.strerror or error}")
    if args.json:
        print_json(asdict(record))
    else:
        print(said)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=_PROG,
        description="Write a version with its manifest and signature to one file, or register such a file.",
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--version", metavar="V", help="the version to export, e.g. v3")
    way.add_argument(
        "--import",
        dest="source",
        type=existing_file,
        metavar="FILE",
        help="verify an exported file and register it, inactive",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the export goes")
    parser.add_argument("--promote", action="store_true", help="with --import: make it the active version")
    parser.add_argument("--json", action="store_true", help="print the answer for a program")
    args = parser.parse_args(argv)
    if args.source is None and args.output is None:
        parser.error("--version needs --output FILE")
    if args.source is None and args.promote:
        parser.error("--promote goes with --import")
    if args.source is not None and args.output is not None:
        parser.error("--output goes with --version")
    return args


if __name__ == "__main__":
    sys.exit(main())
