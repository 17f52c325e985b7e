"""The command `python -m app.infrastructure.database.embedded`: starts and stops the checkout's PostgreSQL."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence

from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable
from app.infrastructure.database.embedded.server import EmbeddedPostgres
from app.shared.command_line import escape_unprintable_output

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


def run(server: EmbeddedPostgres, command: Sequence[str]) -> int:
    """Use the server while a command runs, and return the exit status of the command."""
    with server, subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
        code = process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 only after success."""
    escape_unprintable_output()
    commands = parser()
    options = commands.parse_args(arguments)
    if options.action == "run" and options.command[:1] == ["--"]:
        del options.command[0]
    if options.action == "run" and not options.command:
        commands.error("run: COMMAND is missing")
    try:
        return _act(EmbeddedPostgres(), options)
    except EmbeddedUnavailable as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'embedded PostgreSQL'}: {error.strerror}", file=sys.stderr)
    return 2


def _act(server: EmbeddedPostgres, options: argparse.Namespace) -> int:
    """Perform the action of the command line; return the exit status."""
    match options.action:
        case "start":
            print(server.start())
            server.abandon()  # it runs on without a user; the last later user stops it
            return 0
        case "run":
            return run(server, options.command)
        case "stop":
            succeeded = server.stop(force=options.force)
            text = "stopped" if succeeded else IN_USE
        case "url":
            text = server.url() or "not running"
            succeeded = text != "not running"
        case _:  # status: the address without the password
            dsn = server.url()
            print(f"running at {dsn.rpartition('@')[2]}" if dsn else "not running")
            return 0 if dsn else 1
    print(text, file=sys.stdout if succeeded else sys.stderr)
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
