"""The command `python -m app.infrastructure.database.embedded`: starts and stops the checkout's PostgreSQL."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from app.infrastructure.database.embedded.cluster import EmbeddedPostgres
from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable

IN_USE = "embedded PostgreSQL: in use by another process; --force stops it in any case"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    commands = argparse.ArgumentParser(
        prog="python -m app.infrastructure.database.embedded",
        description="Control the PostgreSQL in .local/postgres of this checkout, used if DATABASE_URL is unset.",
    )
    actions = commands.add_subparsers(dest="action", required=True)
    actions.add_parser("start", help="start the server, leave it running and print its DSN")
    actions.add_parser("url", help="print the DSN; exit 1 if the server does not run")
    actions.add_parser("status", help="print whether the server runs; exit 1 if it does not")
    stop = actions.add_parser("stop", help="stop the server, unless a process uses it")
    stop.add_argument("--force", action="store_true", help="stop the server even if a process uses it")
    run = actions.add_parser(
        "run", help="keep the server running while COMMAND runs; exits with the status of COMMAND"
    )
    run.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments"
    )
    return commands


def start(server: EmbeddedPostgres) -> int:
    """Start the server and leave it running without a user; the last later user stops it."""
    print(server.start())
    server.abandon()
    return 0


def url(server: EmbeddedPostgres) -> int:
    """Print the DSN with its password."""
    dsn = server.url()
    print(dsn or "not running", file=sys.stdout if dsn else sys.stderr)
    return 0 if dsn else 1


def status(server: EmbeddedPostgres) -> int:
    """Print whether the server runs, and its address without the password."""
    dsn = server.url()
    print(f"running at {dsn.rpartition('@')[2]}" if dsn else "not running")
    return 0 if dsn else 1


def run(server: EmbeddedPostgres, command: Sequence[str]) -> int:
    """Use the server while a command runs, and return the exit status of the command."""
    with server, subprocess.Popen(command) as process:

        def forward(number: int, _frame: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, forward)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
        code = process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 only after success."""
    commands = parser()
    options = commands.parse_args(arguments)
    server = EmbeddedPostgres()
    try:
        match options.action:
            case "start":
                return start(server)
            case "url":
                return url(server)
            case "status":
                return status(server)
            case "stop":
                stopped = server.stop(force=options.force)
                print("stopped" if stopped else IN_USE, file=sys.stdout if stopped else sys.stderr)
                return 0 if stopped else 1
        command = options.command[1:] if options.command[:1] == ["--"] else options.command
        if not command:
            commands.error("run: COMMAND is missing")
        return run(server, command)
    except EmbeddedUnavailable as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'embedded PostgreSQL'}: {error.strerror}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
