"""Let the service read the tables of a team: `python -m data.adopt --help`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Engine

from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.adoption.answers import AdoptionError, parse_answers
from app.infrastructure.database.adoption.applying import Report, apply_views, check, check_migrated
from app.infrastructure.database.adoption.backfill import backfill
from app.infrastructure.database.adoption.catalogue import (
    Table,
    distinct_values,
    read_referenced_tables,
    read_tables,
)
from app.infrastructure.database.adoption.description import describe
from app.infrastructure.database.adoption.dropping import create_views, drop_views
from app.infrastructure.database.adoption.proposal import Proposal
from app.infrastructure.database.adoption.propose import propose
from app.infrastructure.database.adoption.triggers import TriggerWriter
from app.infrastructure.database.adoption.views import ViewWriter
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.schema import SchemaName
from app.shared.command_line import OneLineParser, existing_file
from data.command_line import run_command
from data.feed_arguments import event_map

_PROG = "python -m data.adopt"
_ACTIONS = {
    "propose": "print which column feeds what, and write the SQL; the database is not changed",
    "apply": "apply the SQL in one transaction and check it",
    "check": "compare the views with the tables",
    "backfill": "copy likes, comments and other events into the service's log; a second run adds what is new",
    "drop-views": "drop the views, so that a migration of your own can alter the tables",
    "create-views": "create them again",
}


@dataclass(frozen=True)
class _Adoption:
    """The team's tables, what they feed, and the schema of the service."""

    engine: Engine
    schema: SchemaName
    tables: Sequence[Table]
    proposal: Proposal
    time_zone: str
    triggers: bool

    def views_of_team(self) -> list[str]:
        """Return the names of sources that are views."""
        tables = (source.table for _, source in self.proposal.sources)
        return sorted({str(table) for table in tables if table.is_view})

    def sql(self) -> str:
        """Return the views and, if asked for, the triggers."""
        views = ViewWriter(self.proposal, self.schema, self.time_zone).sql()
        if not self.triggers:
            return views
        return f"{views}\n{TriggerWriter(self.proposal, self.schema, self.time_zone).sql()}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    return run_command(_PROG, lambda: _run(args))


def _parser() -> argparse.ArgumentParser:
    actions = "\n".join(f"  {name:13} {text}" for name, text in _ACTIONS.items())
    parser = OneLineParser(
        prog=_PROG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Let the service read the tables of a team, through views.\n\nactions:\n{actions}",
        epilog=(
            "mapping: --map feed_posts=articles --map feed_posts.content=body,feed_posts.author_id=owner "
            '--map "feed_posts.visible=(t.status = 1)" --map like=favourites,like.user_id=fan --map share= (omitted)'
        ),
    )
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="propose", metavar="ACTION")
    parser.add_argument("--schema", default="public", help="schema of the team's tables (default: public)")
    parser.add_argument(
        "--output", type=Path, default=Path("adopt.sql"), help="file of the SQL (default: adopt.sql)"
    )
    parser.add_argument("--input", type=existing_file, help="apply this edited file instead of the proposal")
    parser.add_argument(
        "--map", action="append", default=[], metavar="NAME=VALUE,…", help="answers to questions, see below"
    )
    parser.add_argument(
        "--event-map",
        type=event_map,
        default={},
        metavar="NAME=TYPE,…",
        help="types of events, by the value of their column",
    )
    parser.add_argument(
        "--time-zone", metavar="ZONE", help="zone of times without one, such as UTC or Europe/Berlin"
    )
    parser.add_argument(
        "--triggers", action="store_true", help="also create triggers: changes arrive at once"
    )
    parser.add_argument("--backfill", action="store_true", help="with `apply`: also copy the events")
    return parser


def _run(args: argparse.Namespace) -> int:
    settings = read_settings()
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        if args.action in ("drop-views", "create-views"):
            return _drop_or_create(engine, schema, args.action)
        adoption = _read(engine, schema, args)
        if args.action in ("propose", "apply"):
            print("\n".join(describe(adoption.proposal, adoption.tables)))
            if args.triggers and (views := adoption.views_of_team()):
                print(f"note: views have no triggers, so their changes are compared: {', '.join(views)}")
            args.output.write_text(adoption.sql(), encoding="utf-8")
            print(f"\nwrote {args.output}")
        with engine.connect() as connection, connection.begin():
            if args.action == "apply":
                sql = args.input.read_text(encoding="utf-8") if args.input else adoption.sql()
                apply_views(connection, schema, sql)
                create_views(connection, schema, missing_only=True)
            if args.action in ("apply", "check"):
                _print_report(check(connection, schema, adoption.proposal, adoption.time_zone))
        if args.action == "backfill" or args.backfill:
            _backfill(adoption)
    return 0


def _drop_or_create(engine: Engine, schema: SchemaName, action: str) -> int:
    with engine.connect() as connection, connection.begin():
        check_migrated(connection, schema)
        number = (drop_views if action == "drop-views" else create_views)(connection, schema)
    print(f"{action.partition('-')[0]}: {number} views and triggers")
    return 0


def _read(engine: Engine, schema: SchemaName, args: argparse.Namespace) -> _Adoption:
    """Read the team's tables and map them. Raises AdoptionError."""
    answers = parse_answers(args.map)
    zone = args.time_zone or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise AdoptionError(
            f"--time-zone {zone}: no such time zone; examples are UTC and Europe/Berlin"
        ) from error
    with engine.connect() as connection:
        _check_schema(connection, args.schema)
        tables = read_tables(connection, args.schema)
        tables += read_referenced_tables(connection, tables)
        values_of = partial(distinct_values, connection)
        proposal = propose(tables, answers, zone, values_of=values_of, event_types=args.event_map)
        if args.time_zone is None and (columns := proposal.times_without_zone()):
            zone = _ask_time_zone(columns)
            proposal = propose(tables, answers, zone, values_of=values_of, event_types=args.event_map)
    return _Adoption(engine, schema, tables, proposal, zone, args.triggers)


def _check_schema(connection: Connection, schema: str) -> None:
    if connection.exec_driver_sql("SELECT to_regnamespace(quote_ident(%s)) IS NULL", (schema,)).scalar_one():
        raise AdoptionError(f"--schema {schema}: the database has no such schema")


def _ask_time_zone(columns: Sequence[str]) -> str:
    """Ask on a terminal for the zone of times without one. Raises AdoptionError elsewhere."""
    others = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
    problem = (
        f"{', '.join(columns[:3])}{others}: the times have no zone; add --time-zone (Prisma and Rails: UTC)"
    )
    if not sys.stdin.isatty():
        raise AdoptionError(problem)
    given = (
        input(f"{', '.join(columns)}: the times have no zone. Which time zone are they in? [UTC] ").strip()
        or "UTC"
    )
    try:
        return ZoneInfo(given).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise AdoptionError(f"{given}: no such time zone; examples are UTC and Europe/Berlin") from error


def _print_report(report: Report) -> None:
    """Print what was found. Raises AdoptionError for a problem, so that the transaction is rolled back."""
    print("\n".join(report.lines))
    if report.problems:
        raise AdoptionError("; ".join(report.problems))


def _backfill(adoption: _Adoption) -> None:
    started = perf_counter()
    with adoption.engine.connect() as connection, connection.begin():
        results = backfill(connection, adoption.schema, adoption.proposal, adoption.time_zone)
    for result in results:
        print("\n".join([str(result), *result.warnings(adoption.time_zone)]))
    for one in results:
        if one.given and one.skipped == one.given:
            raise AdoptionError(
                f"{one.table} -> {one.kind}: no row could be copied, as counted above; correct the mapping with --map, "
                f"for example {one.kind}.created_at=COLUMN, or omit the table with {one.kind}="
            )
    if not results:
        print(
            "no table of likes, comments, shares, views or clicks was recognised; name one with --map like=TABLE"
        )
    print(f"back-filled in {perf_counter() - started:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
