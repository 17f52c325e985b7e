"""A PostgreSQL server for one test run, and databases on it that cost some 30 ms each."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from filelock import FileLock
from psycopg2 import sql
from sqlalchemy import Engine

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import wait_until

TEMPLATE = "feed_template"


class TestServer:
    """Makes and drops databases on the server of `url`; `folder` is common to all workers of the run."""

    __test__ = False

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The DSN of a new database: with our tables, or quite empty."""
        with self._database(self._template() if migrated else "template0") as url:
            yield url

    @contextmanager
    def filled_database(self, fill: Callable[[Engine], object]) -> Iterator[str]:
        """The DSN of a database with our tables and the rows of `fill`, for `copy_of`."""
        with self.database() as url:
            engine = create_feed_engine(url, connect_seconds=10, pool_size=2)
            fill(engine)
            engine.dispose()
            yield url

    @contextmanager
    def copy_of(self, url: str) -> Iterator[str]:
        """The DSN of a copy of another database, to which nobody is connected."""
        with self._database(url.rpartition("/")[2]) as copy:
            yield copy

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"test_{secrets.token_hex(6)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"), name, template)
        try:
            yield self._url_of(name)
        finally:
            self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def set_reachable(self, url: str, *, reachable: bool) -> None:
        """Let the database of `url` accept connections, or close them and reject new ones."""
        name = url.rpartition("/")[2]
        allowed = "true" if reachable else "false"
        self._run(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS " + allowed), name)
        if not reachable:
            ended = sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = ")
            self._run(ended + sql.Literal(name))

    def _template(self) -> str:
        """Migrated once for the whole run, by whichever worker comes first."""
        marker = self._folder / "template.name"
        with FileLock(self._folder / "template.lock"):
            if marker.exists():
                return marker.read_text()
            name = f"{TEMPLATE}_{secrets.token_hex(4)}"
            self._run(sql.SQL("CREATE DATABASE {}"), name)
            migrate(self._url_of(name))
            marker.write_text(name)
        return name

    def _url_of(self, name: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{name}"

    def _run(self, statement: sql.SQL | sql.Composed, *names: str) -> None:
        connection = psycopg2.connect(self.url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                if isinstance(statement, sql.SQL):
                    statement = statement.format(*map(sql.Identifier, names))
                cursor.execute(statement)
        finally:
            connection.close()


def migrate(url: str, target: str = "head", *, schema: str = "public") -> None:
    """What an operator runs: `alembic upgrade head` (or `downgrade`, with "base" or a revision before)."""
    direction = "downgrade" if target == "base" or target.startswith("-") else "upgrade"
    done = subprocess.run(
        [sys.executable, "-m", "alembic", direction, target],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": url, "DB_SCHEMA": schema},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def settle(engine: Engine) -> None:
    """Wait until every transaction that had begun is over, those of other tests too.

    Transaction numbers are the cluster's: one that is open in any database of it holds back what a purge removes,
    and the place that a new position has in the outbox.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        begun = connection.exec_driver_sql(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
        ).scalar_one()
        over = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::text::xid8"
        assert wait_until(lambda: bool(connection.exec_driver_sql(over, (begun,)).scalar_one()), 60)
