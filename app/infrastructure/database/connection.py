"""Connections to PostgreSQL, their time limits, and the translation of their errors.

Sessions hold no state (no SET, no prepared statements, no advisory session locks), so a transaction-pooling proxy may
be in between. SET LOCAL at the start of a transaction sets what it needs.
"""

import math
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any, Final, NoReturn

import psycopg2
import psycopg2.extensions as pg
from sqlalchemy import Connection, Engine, ExceptionContext, NullPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.dsn import parse_dsn

DEFAULT_BUDGET_SECONDS: Final = 5.0
"""Time for reads outside requests, and for driver calls outside every `deadline`, such as a rollback by the pool."""

IS_READ_ONLY: Final = "(pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean)"
"""SQL condition: the database rejects writes, because it is a standby or its operator says so."""

_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds, seconds, probes: a lost machine is noticed within a minute, even during a long query. tcp_user_timeout would
also end a long INSERT that waits for a busy server."""

_CLIENT_CHECK_SECONDS: Final = 10
_END_WITH_CLIENT: Final = (
    f"; DO $$BEGIN PERFORM set_config('client_connection_check_interval', '{_CLIENT_CHECK_SECONDS}s', true); "
    "EXCEPTION WHEN invalid_parameter_value THEN NULL; END$$"
)
"""Ends a statement whose client is gone: a process that ends would leave a comparison of all events behind, which takes
minutes. PostgreSQL cannot notice that on every system."""

_deadline: ContextVar[float] = ContextVar("database_deadline", default=math.inf)  # of time.monotonic()

_UNAVAILABLE: Final = (
    "08",  # connection
    "25006",  # read-only after a fail-over
    "28",  # no such role, wrong password
    "3D",  # no such database
    "3F",  # no such schema: not migrated
    "40001",  # serialisation failure
    "40P01",  # deadlock
    "42501",  # no right to a table
    "42883",  # no such function: migrated by an earlier version
    "42703",  # no such column: migrated by an earlier version
    "42P01",  # no such table: not migrated
    "53",  # resources
    "55P03",  # lock not available
    "57",  # operator intervention
    "58",  # system error
    "XX",  # internal error
)
"""SQLSTATE codes, or their first two characters for a whole class."""


def create_feed_engine(
    url: str, *, connect_seconds: float, pool_size: int = 0, pool_wait_seconds: float = 0
) -> Engine:
    """Return an engine that has not connected yet. `url` is a DSN of PostgreSQL, as `Settings` checks it.

    connect_seconds    time to open a connection; without `install_deadlines`, in whole seconds and for each address
    pool_size          maximum number of connections; 0 opens a new connection for each use
    pool_wait_seconds  time to wait for a free connection of the pool
    """
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size:
        pool = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": pool_wait_seconds,
            "pool_pre_ping": True,
        }
    psycopg2_url = make_url(parse_dsn(url).url).set(drivername="postgresql+psycopg2")
    engine = create_engine(psycopg2_url, use_native_hstore=False, **pool)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, url_options: Any) -> Any:
        """Open a connection. Raises psycopg2.OperationalError after `connect_seconds`, which a `deadline` excludes.

        It takes five round trips. Within the deadline of a request, a distant database would never be connected to.
        """
        # `deadline` works only after `install_deadlines`; libpq then ignores connect_timeout.
        defaults = {"connect_timeout": math.ceil(connect_seconds), **_KEEPALIVE}
        began = time.monotonic()
        token = _deadline.set(began + connect_seconds)
        try:
            return psycopg2.connect(*arguments, **{**defaults, **url_options})
        finally:
            _deadline.reset(token)
            _deadline.set(_deadline.get() + time.monotonic() - began)

    @event.listens_for(engine, "handle_error")
    def keep_other_connections(context: ExceptionContext) -> None:
        """A call that exceeds its time budget loses its own connection only: the pool checks the others at each use."""
        context.invalidate_pool_on_disconnect = False

    return engine


def unconfigured_engine() -> Engine:
    """Return the engine of a service without a database: every use raises StorageUnavailable."""

    def connect() -> NoReturn:
        raise StorageUnavailable("no database is configured: set DATABASE_URL")

    return create_engine("postgresql+psycopg2://", creator=connect, poolclass=NullPool)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the time of all database calls inside. An earlier deadline of an enclosing block stays in force."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def install_deadlines() -> None:
    """Make psycopg2 respect `deadline` in this whole process.

    Only the client can end the wait for a frozen or lost server: such a server answers nothing, and its own
    statement_timeout does not fire. Each call outside a `deadline` then has DEFAULT_BUDGET_SECONDS, so this is for
    processes that serve, not for those that load or train.
    """
    pg.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    """Wait until the connection is ready. If this raises at the deadline, psycopg2 closes the connection."""
    until = _deadline.get()
    if math.isinf(until):
        until = time.monotonic() + DEFAULT_BUDGET_SECONDS
    while (state := connection.poll()) != pg.POLL_OK:
        remaining_seconds = until - time.monotonic()
        if remaining_seconds <= 0:
            raise psycopg2.OperationalError("the database did not answer within its time budget")
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN if state == pg.POLL_READ else select.POLLOUT)
        poll.poll(math.ceil(remaining_seconds * 1000))


def is_unavailable(error: BaseException) -> bool:
    """Return whether a driver's error means that the database cannot answer now, not that the request is wrong."""
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(driver_error, "pgcode", None)
    if code is None:
        return isinstance(driver_error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return str(code).startswith(_UNAVAILABLE)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise StorageUnavailable for driver errors of a database that is stopped, frozen, full or restarting."""
    try:
        yield
    except PoolTimeout as error:
        raise StorageUnavailable("no database connection was free in time") from error
    except (DBAPIError, psycopg2.Error) as error:
        if is_unavailable(error):
            raise StorageUnavailable(first_line(error) or "the database did not answer") from error
        raise


def first_line(error: BaseException | None) -> str:
    """Return the first line of a driver's error message."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]


@contextmanager
def transaction(
    engine: Engine, budget_seconds: float, *, snapshot: bool = False, lock_seconds: float | None = None
) -> Iterator[Connection]:
    """Open a transaction with a time budget, in UTC; with `snapshot`, read-only and on one consistent state.

    Each wait for a lock takes `lock_seconds` at most.

    Raises StorageUnavailable if the database does not answer in time, and other driver errors unchanged.
    """
    mode = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; " if snapshot else ""
    with storage_errors(), deadline(budget_seconds), engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(mode + _session_settings(budget_seconds, lock_seconds))
        yield connection


def commit_statement(
    engine: Engine, budget_seconds: float, statement: str, parameters: tuple[object, ...]
) -> Sequence[Any]:
    """Run one statement in a transaction of its own, as `transaction` does, and return its rows after the commit.

    Takes two round trips: the pool checks the connection, and PostgreSQL runs a text of several statements as one
    transaction. `transaction` takes six. Raises as `transaction`.
    """
    text = f"{_session_settings(budget_seconds)}; {statement}"
    with storage_errors(), deadline(budget_seconds), engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True  # isolation_level="AUTOCOMMIT" would send two statements
        try:
            return connection.exec_driver_sql(text, parameters).all()
        finally:
            if not driver.closed:
                driver.autocommit = False


def fill_pool(engine: Engine, connections: int, seconds: float) -> None:
    """Open so many connections at once, within `seconds`: one that a request opens takes five more round trips.

    What fails is left to the first use.
    """
    are_open = Barrier(connections)

    def open_one() -> None:
        with suppress(StorageUnavailable, BrokenBarrierError), storage_errors(), engine.connect():
            are_open.wait(seconds)  # a connection that is returned would be used again

    threads = [Thread(target=open_one, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)


class ConnectionCheck:
    """Raises StorageUnavailable unless the database answers within the budget, on a connection that it keeps open.

    Calls that open the connection take longer than the budget. `engine` has no pool.
    """

    def __init__(self, engine: Engine, budget_seconds: float) -> None:
        self._engine = engine
        self._budget_seconds = budget_seconds
        self._connection: Connection | None = None

    def __call__(self) -> None:
        """Check the database: one round trip. A connection that the database has closed is opened again."""
        with storage_errors():
            if self._connection is not None:
                began = time.monotonic()
                try:
                    with deadline(self._budget_seconds):
                        self._connection.exec_driver_sql("SELECT 1")
                    return
                except DBAPIError:
                    self.close()
                    if time.monotonic() - began >= self._budget_seconds:
                        raise
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _session_settings(budget_seconds: float, lock_seconds: float | None = None) -> str:
    settings = {"statement_timeout": budget_seconds}
    if lock_seconds is not None:
        settings["lock_timeout"] = lock_seconds
    limits = [f"; SET LOCAL {name} TO {math.ceil(seconds * 1000)}" for name, seconds in settings.items()]
    ends_with_client = _END_WITH_CLIENT if budget_seconds > _CLIENT_CHECK_SECONDS else ""
    return "SET LOCAL TimeZone TO 'UTC'" + "".join(limits) + ends_with_client
