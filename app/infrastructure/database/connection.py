"""Connections to PostgreSQL: how they are made, how long anything on them may take, and what their errors mean.

Nothing here or above keeps state in a session (no SET, no prepared statements, no advisory session locks), so a
transaction-pooling proxy may stand in between. What a transaction needs is set with SET LOCAL at its begin.
"""

import math
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg2
import psycopg2.extensions as pg
from sqlalchemy import Connection, Engine, Pool, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import StorageUnavailable

_SCHEMES = re.compile(r"^(?:postgres|postgresql|postgresql\+psycopg2)://")
DEFAULT_BUDGET_SECONDS = 5.0
"""Budget of what runs outside every `deadline`: returning a connection to the pool, making one ahead of time."""

_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds, seconds, probes: a machine that is gone is noticed within a minute, however long the query may take. No
tcp_user_timeout, which would also end a COPY that a busy server lets wait."""

_deadline: ContextVar[float] = ContextVar("database_deadline", default=math.inf)

# SQLSTATE classes that say "not now" rather than "not so": connection, resources, operator intervention, system
# error; and single codes: serialisation, deadlock, read-only after a fail-over, lock not available, and a database that
# is not (yet) the one we expect: no such database or role, not migrated, no right to it
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58", "XX")
_UNAVAILABLE_CODES = (
    "40001",
    "40P01",
    "25006",
    "55P03",
    "3D000",
    "28000",
    "28P01",
    "42P01",
    "3F000",
    "42501",
)


class DeadlineMissed(psycopg2.OperationalError):
    """The budget was over before the server answered."""


def normalise_url(url: str) -> str:
    """Any spelling of a PostgreSQL DSN as SQLAlchemy wants it for psycopg2. Raises ValueError, without the secret."""
    if not _SCHEMES.match(url):
        raise ValueError("DATABASE_URL must start with postgres://, postgresql:// or postgresql+psycopg2://")
    return _SCHEMES.sub("postgresql+psycopg2://", url, count=1)


def create_feed_engine(
    url: str,
    *,
    pool_size: int = 5,
    pool_wait_seconds: float = 0.2,
    connect_seconds: float = 10.0,
    poolclass: type[Pool] | None = None,
) -> Engine:
    """An engine that has not connected yet.

    A caller waits `pool_wait_seconds` for a free connection and `connect_seconds` for a new one, which without
    `install_deadlines` are rounded up to whole ones, and hold for each address of the server.
    Raises ValueError for an unusable URL.
    """
    sizes: dict[str, Any] = (
        {"poolclass": poolclass}
        if poolclass is not None
        else {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": pool_wait_seconds,
            "pool_pre_ping": True,
        }
    )
    address = normalise_url(url)
    try:
        engine = create_engine(address, use_native_hstore=False, **sizes)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ValueError("DATABASE_URL cannot be read as a PostgreSQL DSN") from None

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
        limits = {"connect_timeout": math.ceil(connect_seconds), **_KEEPALIVE}
        with deadline(connect_seconds):
            return psycopg2.connect(*arguments, **{**limits, **options})

    return engine


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything on the database inside must be over in `seconds`; an enclosing deadline stays in force."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def install_deadlines() -> None:
    """Make psycopg2 keep the deadlines of this module, in this whole process.

    A server that is frozen or gone without a word answers nothing, and its own statement_timeout does not fire: only
    the client can end the wait. psycopg2 then runs in its coroutine ("green") mode, in which COPY is not possible:
    for processes that serve, not for those that load.
    """
    pg.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    """Wait until the connection is ready. When this raises at the deadline, psycopg2 closes the connection."""
    until = _deadline.get()
    if math.isinf(until):
        until = time.monotonic() + DEFAULT_BUDGET_SECONDS
    while (state := connection.poll()) != pg.POLL_OK:
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlineMissed("the database did not answer within its budget")
        ready = select.poll()
        ready.register(connection.fileno(), select.POLLIN if state == pg.POLL_READ else select.POLLOUT)
        ready.poll(math.ceil(left * 1000))


def is_unavailable(error: BaseException) -> bool:
    """Whether a driver's error says that the database cannot answer now, as against that the request is wrong."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "pgcode", None)
    if code is None:
        return isinstance(origin, psycopg2.OperationalError | psycopg2.InterfaceError)
    return str(code).startswith(_UNAVAILABLE_CLASSES) or code in _UNAVAILABLE_CODES


@contextmanager
def storage_errors() -> Iterator[None]:
    """Driver errors of a database that is away, frozen, full or restarting become StorageUnavailable."""
    try:
        yield
    except PoolTimeout as error:
        raise StorageUnavailable("no database connection was free in time") from error
    except (DBAPIError, psycopg2.Error) as error:
        if is_unavailable(error):
            raise StorageUnavailable(_first_line(error)) from error
        raise


def _first_line(error: BaseException) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(origin).strip().partition("\n")[0] or "the database did not answer"


@contextmanager
def transaction(engine: Engine, budget_seconds: float, *, snapshot: bool = False) -> Iterator[Connection]:
    """One transaction within a budget, in UTC; with `snapshot`, read-only and all of it as of one moment.

    Raises StorageUnavailable when the database does not answer in time; other driver errors as they are.
    """
    begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; " if snapshot else ""
    with storage_errors(), deadline(budget_seconds), engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            f"{begin}SET LOCAL TimeZone TO 'UTC'; SET LOCAL statement_timeout TO {math.ceil(budget_seconds * 1000)}"
        )
        yield connection
