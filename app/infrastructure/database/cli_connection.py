"""The database connection of a command: no time limit for statements, and errors in one line with a remedy."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.connection import create_feed_engine, first_line, storage_errors
from app.infrastructure.database.embedded import EmbeddedPostgres

_MIGRATE: Final = "run `python -m alembic upgrade head`"
_REMEDY_BY_SQLSTATE: Final = {
    "25006": "use a server and a role that can write",  # read-only
    "42703": _MIGRATE,  # no such column
    "42P01": _MIGRATE,  # no such table
    "3F000": _MIGRATE,  # no such schema
    "42501": "grant its role what this command needs",
    "55P03": "repeat it once the transaction that locks the table has ended (pg_stat_activity shows it)",
    "57014": "LOAD_BUDGET_SECONDS allows longer reads",
}
_CHECK_SERVER: Final = "check that it runs and that DATABASE_URL is its address"


@contextmanager
def cli_engine(settings: Settings) -> Iterator[Engine]:
    """An engine on the database of DATABASE_URL or, if it is unset, on the embedded one, which runs meanwhile.

    COMMAND_CONNECT_SECONDS limits the time to open a connection; statements have no limit.

    Raises EmbeddedUnavailable, and StorageUnavailable for every database error inside. Its message is one line with the
    place, the problem and the remedy.
    """
    with ExitStack() as stack:
        url = settings.database_url.get_secret_value() if settings.database_url else None
        engine = create_feed_engine(
            url or stack.enter_context(EmbeddedPostgres()), connect_seconds=settings.command_connect_seconds
        )
        stack.callback(engine.dispose)
        try:
            with storage_errors():
                yield engine
        except (StorageUnavailable, DBAPIError) as error:
            raise StorageUnavailable(f"the database at {_address(engine)} {_problem(error)}") from error


def _address(engine: Engine) -> str:
    """Return `host:port` of the DSN, or several of them with commas."""
    options = engine.dialect.create_connect_args(engine.url)[1]
    hosts = str(options.get("host") or "localhost").split(",")
    ports = str(options.get("port") or 5432).split(",")
    return ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports * len(hosts), strict=False))


def _problem(error: StorageUnavailable | DBAPIError) -> str:
    """Return what the database does not do, with the driver's first line without the address that it may repeat."""
    reason = re.sub(r"^connection to server (?:at|on) .*? failed: ", "", first_line(error))
    if isinstance(error, DBAPIError):
        return f"rejects a statement: {reason}"
    cause = error.__cause__
    sqlstate = getattr(cause.orig if isinstance(cause, DBAPIError) else cause, "pgcode", None)
    return f"is not available: {reason}; {_REMEDY_BY_SQLSTATE.get(str(sqlstate), _CHECK_SERVER)}"
