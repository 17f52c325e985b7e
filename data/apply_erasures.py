"""Remove the rows of erased users that came back, for example by a restore: `python -m data.apply_erasures --help`."""

import sys
from collections.abc import Sequence

from app.shared.command_line import OneLineParser
from data.command_line import run_command
from data.loading import feed_database

_PROG = "python -m data.apply_erasures"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG, description="Remove the rows of erased users that came back, for example by a restore."
    )
    parser.parse_args(argv)

    def apply() -> None:
        """Remove the rows, and print of how many users."""
        with feed_database() as database:
            removed = database.apply_erasures()
        print(f"removed the rows of {removed:,} erased users")

    return run_command(_PROG, apply)


if __name__ == "__main__":
    sys.exit(main())
