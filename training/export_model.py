"""Export a model as one file: `python -m training.export_model --version V --output FILE`.

`--import FILE` registers such a file on another machine.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, existing_file
from data.command_line import run_command
from training.command_line import output_file, print_result

_PROG: Final = "training.export_model"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Write a version with its manifest and signature to one file, or register such a file.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--version", metavar="V", help="the version to export, e.g. v3")
    source.add_argument(
        "--import",
        dest="source",
        type=existing_file,
        metavar="FILE",
        help="verify an exported file and register it without activating it",
    )
    parser.add_argument("--output", type=output_file, metavar="FILE", help="file to write")
    parser.add_argument("--promote", action="store_true", help="with --import: also activate the version")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    args = parser.parse_args(argv)
    if args.source is None and args.output is None:
        parser.error("argument --version: requires --output FILE")
    if args.source is None and args.promote:
        parser.error("argument --promote: requires --import")
    if args.source is not None and args.output is not None:
        parser.error("argument --output: requires --version")
    return run_command(_PROG, lambda: _export_or_import(args))


def _export_or_import(args: argparse.Namespace) -> None:
    registry = open_registry(read_settings())
    if args.source is None:
        record = registry.export(args.version, args.output)
        message = f"{args.output}: {record.version}, {args.output.stat().st_size / 1e6:.1f} MB"
    else:
        record = registry.import_file(args.source, promote=args.promote)
        message = f"registered: {record.version} ({record.status})"
    print_result(args, record, message)


if __name__ == "__main__":
    sys.exit(main())
