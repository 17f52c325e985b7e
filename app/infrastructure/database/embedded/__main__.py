"""python -m app.infrastructure.database.embedded: the checkout's PostgreSQL by hand, and for scripts."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from app.infrastructure.database.embedded.cluster import EmbeddedPostgres
from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable

IN_USE = "embedded PostgreSQL: in use by another process (--force stops it all the same)"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    commands = argparse.ArgumentParser(
        prog="python -m app.infrastructure.database.embedded",
        description="The PostgreSQL under .local/postgres of this checkout, for where DATABASE_URL is unset.",
    )
    actions = commands.add_subparsers(dest="action", required=True)
    actions.add_parser("start", help="start it if it is not running and leave it running; prints its DSN")
    actions.add_parser("url", help="print the DSN; exit 1 when it is not running")
    actions.add_parser("status", help="say whether it is running; exit 1 when it is not")
    stop = actions.add_parser("stop", help="stop it, unless a process uses it")
    stop.add_argument("--force", action="store_true", help="whoever uses it")
    run = actions.add_parser("run", help="keep it running while COMMAND runs; exits as COMMAND does")
    run.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments"
    )
    return commands


def start(server: EmbeddedPostgres) -> int:
    """Start and leave running: nobody holds it in use, so the next last user stops it."""
    print(server.start())
    server.abandon()
    return 0


def url(server: EmbeddedPostgres) -> int:
    """The DSN, password and all."""
    dsn = server.url()
    print(dsn or "not running", file=sys.stdout if dsn else sys.stderr)
    return 0 if dsn else 1


def status(server: EmbeddedPostgres) -> int:
    """Without the password."""
    dsn = server.url()
    print(f"running at {dsn.rpartition('@')[2]}" if dsn else "not running")
    return 0 if dsn else 1


def run(server: EmbeddedPostgres, command: Sequence[str]) -> int:
    """Hold the server in use as long as a command runs, however that ends."""
    with server, subprocess.Popen(command) as process:

        def pass_on(number: int, _frame: FrameType | None) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGTERM, pass_on)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
        code = process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 only when it did what it says."""
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
