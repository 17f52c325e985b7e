"""Write the log as a folder of Parquet files: `python -m data.export_log --output DIR --help`.

A second run adds what is new. The commands of training read the folder with `--interactions DIR`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.shared.command_line import OneLineParser, whole_number
from app.shared.progress import progress_bars
from data.command_line import run_command
from data.log_export.manifest import ExportError
from data.log_export.writer import export_log

_PROG: Final = "python -m data.export_log"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Write the log as a folder of Parquet files, by the day of receipt. A second run adds what is new.",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="a new folder, or an export"
    )
    parser.add_argument(
        "--since",
        type=whole_number(0),
        metavar="SEQ",
        help="export interactions with a larger number only, the same in each run (default: all)",
    )
    args = parser.parse_args(argv)

    def export() -> None:
        settings = read_settings()
        with cli_engine(settings) as engine, progress_bars() as progress:
            schema = feed_schema(engine, settings.db_schema)
            log = SqlFeedLog(engine, schema, load_budget_seconds=settings.load_budget_seconds)
            try:
                manifest, added = export_log(log, args.output, args.since, progress)
            except OSError as error:
                problem = f"cannot be written: {error.strerror or error}; use another folder, or free space"
                raise ExportError(args.output, problem) from error
        tables = ", ".join(f"{file.rows:,} {name}" for name, file in manifest.tables.items() if file.rows)
        print(
            f"{args.output}: run {manifest.run} added {added:,} interactions up to number {manifest.last_seq}; "
            f"{tables or 'no users and posts'}"
        )

    return run_command(_PROG, export)


if __name__ == "__main__":
    sys.exit(main())
