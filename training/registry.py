"""List and manage the published models: `python -m training.registry list|show V|promote V|rollback|prune|...`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, warn, whole_number
from data.command_line import run_command
from training.command_line import print_result
from training.erased_versions import delete_erased_versions
from training.model_config import RANKER_BY_ALGORITHM
from training.reporting.console import print_table

_PROG: Final = "training.registry"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    command: Callable[[FileModelRegistry, argparse.Namespace], None] = args.command
    return run_command(_PROG, lambda: command(open_registry(read_settings()), args))


def _list(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    records, active, previous = registry.records(), registry.active(), registry.previous()
    if args.json or not records:
        versions = {
            "active": active.version if active else None,
            "previous": previous.version if previous else None,
        }
        print_result(args, {**versions, "models": records}, "no model has been published")
        return
    table = Table("version", "status", "ranking", "created", "size", "figures", "note")
    for record in records:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in _figures(record.metrics))
        size = f"{record.size_bytes / 1e6:.1f} MB"
        ranking = RANKER_BY_ALGORITHM.get(record.config.get("algorithm", ""), "-")
        cells = record.version, record.status, ranking, record.created_at, size, figures, record.note
        table.add_row(*map(Text, cells))
    print_table(table)


def _show(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    values = asdict(registry.record(args.version))
    problem = None
    try:
        registry.load(args.version)
    except InvalidArtifact as error:
        problem = str(error)
    lines = [
        f"{name + ':':<12}{value if isinstance(value, str | int) else json.dumps(value)}"
        for name, value in values.items()
    ]
    lines.append(f"{'artefact:':<12}{'verified' if problem is None else 'rejected: ' + problem}")
    print_result(args, values | {"loadable": problem is None, "refused": problem}, "\n".join(lines))


def _promote(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    _print_active(args, args.version, registry.promote(args.version))


def _rollback(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    before = registry.active()
    _print_active(args, registry.rollback().version, before)


def _print_active(args: argparse.Namespace, version: str, before: ModelRecord | None) -> None:
    was = before.version if before else None
    print_result(args, {"active": version, "was": was}, f"active: {version} (was {was or 'none'})")


def _prune(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    removed = [record.version for record in registry.prune(args.keep)]
    print_result(args, {"removed": removed}, f"removed: {', '.join(removed) or 'none'}")


def _delete_erased(registry: FileModelRegistry, args: argparse.Namespace) -> None:
    found = delete_erased_versions(registry, read_settings())
    removed = [record.version for record in found.deleted]
    print_result(args, {"removed": removed}, f"removed: {', '.join(removed) or 'none'}")
    if found.warning:
        warn(_PROG, found.warning)


def _figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics in a row of the table. Metrics in the format of another version are skipped."""
    for name, value in metrics.items():
        if isinstance(value, float) and name.isprintable():
            yield name, value
    for name in ("formula", "learned"):
        with suppress(KeyError, TypeError, ValueError):
            estimate = metrics["prequential"][name]["ndcg@10"]
            if estimate["n"]:
                yield f"{name} ndcg@10", float(estimate["mean"])


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=_PROG, description="List the published models and select the one that serves."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., None], help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
        sub.set_defaults(command=command)
        return sub

    add("list", _list, "list all versions, oldest first")
    show = add("show", _show, "show one version, and check that its artefact can be loaded")
    show.add_argument("version", metavar="V", help="e.g. v3")
    promote = add("promote", _promote, "verify a version and make it the active one")
    promote.add_argument("version", metavar="V", help="e.g. v3")
    add("rollback", _rollback, "activate the version that was active before the current one")
    add(
        "delete-erased",
        _delete_erased,
        "delete versions that may hold users erased ERASURE_DAYS - 1 days ago",
    )
    prune = add("prune", _prune, "remove old versions, but not the active one and the one before it")
    keep_help = "number of other versions to keep, newest first (default: 5)"
    prune.add_argument("--keep", type=whole_number(0), default=5, metavar="N", help=keep_help)
    return parser


if __name__ == "__main__":
    sys.exit(main())
