"""Runs a command, and ends it with one line and exit code 2 for an expected error."""

from collections.abc import Callable

from app.domain.errors import DomainError
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.shared.command_line import fail
from app.shared.exceptions import ConfigurationError


def run_command(prog: str, command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code."""
    try:
        return command() or 0
    except (ConfigurationError, DomainError, OSError) as error:  # OSError: a file, or a killed worker
        return fail(prog, error)
    except EmbeddedUnavailable as error:
        return fail(prog, f"DATABASE_URL is not set, and {error}")
