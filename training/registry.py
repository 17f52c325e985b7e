"""The registry on the command line: `python -m training.registry list|show V|promote V|rollback|prune`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from app.domain.errors import InvalidArtifact, ModelUnavailable, UnknownVersion
from app.domain.repositories.model_registry import ModelRecord
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, fail, whole_number
from app.shared.exceptions import ConfigurationError

_PROG: Final = "training.registry"
REFUSALS: Final = (ConfigurationError, ModelUnavailable, UnknownVersion)
"""What ends a command with one line and exit code 2."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    run: Callable[[FileModelRegistry, argparse.Namespace], None] = args.run
    try:
        run(open_registry(read_settings()), args)
    except REFUSALS as error:
        return fail(_PROG, error)
    return 0


def _list(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    records, active, previous = registry.records(), registry.active(), registry.previous()
    if args.json:
        print_json(
            {
                "active": active.version if active else None,
                "previous": previous.version if previous else None,
                "models": [asdict(record) for record in records],
            }
        )
    elif records:
        _print_table(records)
    else:
        print("no model has been published")


def _show(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    record = registry.record(args.version)
    refused = None
    try:
        registry.load(args.version)
    except InvalidArtifact as error:
        refused = str(error)
    if args.json:
        print_json(asdict(record) | {"loadable": refused is None, "refused": refused})
        return
    for name, value in asdict(record).items():
        print(f"{name + ':':<12}{value if isinstance(value, str | int) else json.dumps(value)}")
    print(f"{'artefact:':<12}{'verified' if refused is None else 'refused: ' + refused}")


def _promote(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    before = registry.promote(args.version)
    _print_active(args, args.version, before)


def _rollback(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    before = registry.active()
    _print_active(args, registry.rollback().version, before)


def _prune(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    gone = [record.version for record in registry.prune(args.keep)]
    if args.json:
        print_json({"removed": gone})
    else:
        print(f"removed: {', '.join(gone) or 'none'}")


def _print_active(args: argparse.Namespace, version: str, before: ModelRecord | None) -> None:
    was = before.version if before else None
    if args.json:
        print_json({"active": version, "was": was})
    else:
        print(f"active: {version} (was {was or 'none'})")


def _print_table(records: Sequence[ModelRecord]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("version", "status", "created", "size", "figures", "note")
    for record in records:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in _figures(record.metrics))
        cells = (
            record.version,
            record.status,
            record.created_at,
            f"{record.size_bytes / 1e6:.1f} MB",
            figures,
            record.note,
        )
        table.add_row(*(Text(cell) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; 80 columns would break the figures
    console.print(table)


def _figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What stands in a line of the table; figures of another shape, as another version writes them, do not."""
    for name, value in metrics.items():
        if isinstance(value, float) and name.isprintable():
            yield name, value
    for name in ("formula", "learned"):
        figure: Any = metrics
        for part in ("prequential", name, "ndcg@10"):
            figure = figure.get(part) if isinstance(figure, Mapping) else None
        if isinstance(figure, Mapping) and figure.get("n") and isinstance(figure.get("mean"), float):
            yield f"{name} ndcg@10", figure["mean"]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description="Published models: which there are and which one serves.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., None], help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("--json", action="store_true", help="print the answer for a program")
        sub.set_defaults(run=run)
        return sub

    command("list", _list, "all versions, oldest first")
    command("show", _show, "one version, and whether its artefact can be loaded").add_argument(
        "version", metavar="V", help="e.g. v3"
    )
    command("promote", _promote, "verify a version and make it the active one").add_argument(
        "version", metavar="V", help="e.g. v3"
    )
    command("rollback", _rollback, "make the version active again that was so before the present one")
    command("prune", _prune, "remove old versions; never the active one nor the one before it").add_argument(
        "--keep",
        type=whole_number(0),
        default=5,
        metavar="N",
        help="how many of the other versions stay, the newest (default: 5)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
