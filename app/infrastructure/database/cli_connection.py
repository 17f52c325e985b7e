"""The database as a command has it: one connection at a time, answers as late as they come, errors in one line."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.connection import create_feed_engine, storage_errors
from app.infrastructure.database.embedded import EmbeddedPostgres
from app.shared.exceptions import ConfigurationError

_MIGRATE = "run `python -m alembic upgrade head`"
_ADVICE: Final = {
    "42P01": _MIGRATE,  # no such table
    "3F000": _MIGRATE,  # no such schema
    "42501": "grant its role what this command needs",
    "57014": "LOAD_BUDGET_SECONDS allows longer reads",
}
_LOOK_AT_IT: Final = "see that it runs and that DATABASE_URL names it"


@contextmanager
def cli_engine(settings: Settings) -> Iterator[Engine]:
    """The database of DATABASE_URL, else the embedded one, which runs at least as long as this is open.

    Connecting ends after COMMAND_CONNECT_SECONDS; what is asked then may take as long as it takes. Raises
    ConfigurationError, EmbeddedUnavailable, and for every error of the database inside StorageUnavailable, whose
    line says where the database is, what is wrong and what to do.
    """
    with ExitStack() as stack:
        given = settings.database_url.get_secret_value() if settings.database_url else None
        try:
            engine = create_feed_engine(
                given or stack.enter_context(EmbeddedPostgres()),
                connect_seconds=settings.command_connect_seconds,
                poolclass=NullPool,
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        stack.callback(engine.dispose)
        try:
            with storage_errors():
                yield engine
        except StorageUnavailable as error:
            advice = _ADVICE.get(str(_sqlstate(error.__cause__)), _LOOK_AT_IT)
            raise StorageUnavailable(
                f"the database at {_place(engine)} is not available: {_reason(error)}; {advice}"
            ) from error
        except DBAPIError as error:
            raise StorageUnavailable(
                f"the database at {_place(engine)} refuses: {_reason(error.orig)}"
            ) from error


def _place(engine: Engine) -> str:
    """`host:port`, several with commas, as the DSN names them."""
    named = engine.dialect.create_connect_args(engine.url)[1]
    hosts = str(named.get("host") or "localhost").split(",")
    ports = str(named.get("port") or 5432).split(",")
    return ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports * len(hosts), strict=False))


def _reason(error: object) -> str:
    """The driver's first line, without the place that it may name too."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^connection to server (?:at|on) .*? failed: ", "", line)


def _sqlstate(error: BaseException | None) -> str | None:
    code: str | None = getattr(error.orig if isinstance(error, DBAPIError) else error, "pgcode", None)
    return code
