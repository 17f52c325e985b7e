"""A lock in the database: one continuous trainer at a time for a feed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from app.domain.errors import DomainError
from app.infrastructure.database.connection import storage_errors


class AnotherTrainer(DomainError):
    """Another trainer holds the lock."""


@dataclass(frozen=True, slots=True)
class TrainerLock:
    """The lock, held by an open transaction: it ends with the connection, also behind a pooling proxy."""

    connection: Connection

    def check(self) -> None:
        """Raise StorageUnavailable if the connection, and the lock with it, was lost."""
        with storage_errors():
            self.connection.execute(text("SELECT 1"))


@contextmanager
def trainer_lock(engine: Engine, schema: str) -> Iterator[TrainerLock]:
    """Hold the lock of the feed in `schema`. Raises AnotherTrainer if it is held, StorageUnavailable on an error.

    The transaction reads nothing between statements, so it holds back no vacuum.
    """
    with storage_errors(), engine.connect() as connection:
        query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        if not connection.execute(query, {"name": f"feed trainer {schema}"}).scalar_one():
            raise AnotherTrainer("another continuous trainer runs on this feed; it does the work")
        yield TrainerLock(connection)
