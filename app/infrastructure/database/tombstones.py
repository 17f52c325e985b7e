"""Tombstones: keyed hashes of the ids of erased users, by which rows of these users are recognised."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.feed.slices import slices
from app.infrastructure.database.schema import SchemaName
from app.shared.exceptions import ConfigurationError

_IDS_PER_QUERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The table erased_user. The first of `secrets` makes hashes; hashes of all of them are recognised.

    The database does not have the secrets, so nobody can find out from a copy of it whether a user was erased. Without
    a secret, no erased user is recognised.
    """

    secrets: Sequence[bytes] = ()

    def erased(self, connection: Connection, schema: SchemaName, user_ids: Collection[UUID]) -> set[UUID]:
        """Those of the users who were erased."""
        query = f"SELECT hash FROM {schema['erased_user']} WHERE hash = ANY(%s::bytea[])"
        found: set[UUID] = set()
        for some in slices(list(user_ids) if self.secrets else [], _IDS_PER_QUERY):
            id_of_hash = {_hash(secret, user_id): user_id for secret in self.secrets for user_id in some}
            hashes = connection.exec_driver_sql(query, (list(id_of_hash),)).scalars()
            found.update(id_of_hash[bytes(one)] for one in hashes)
        return found

    def require_known(self, connection: Connection, schema: SchemaName) -> bool:
        """Return whether there are tombstones.

        Raises ConfigurationError if some are of a secret that is not among `secrets`: they would be ignored.
        """
        if not _has_table(connection, schema):
            return False
        query = f"SELECT count(*), count(*) FILTER (WHERE key_id <> ALL(%s::bytea[])) FROM {schema['erased_user']}"
        stored, unknown = connection.exec_driver_sql(query, (list(map(_key_id, self.secrets)),)).one()
        if unknown:
            raise ConfigurationError(
                f"{schema['erased_user']}: {unknown} hashes of erased users are of another secret; set ERASURE_SECRET "
                "to the secrets of the service"
            )
        return bool(stored)

    def add(
        self,
        connection: Connection,
        schema: SchemaName,
        user_ids: Collection[UUID],
        receipt: Mapping[str, Any],
    ) -> None:
        """Add a tombstone for each of the ids of one user, or replace its receipt."""
        statement = (
            f"INSERT INTO {schema['erased_user']} (hash, key_id, receipt) VALUES (%s, %s, %s) ON CONFLICT (hash) "
            "DO UPDATE SET erased_at = excluded.erased_at, receipt = excluded.receipt"
        )
        secret, stored = self.secrets[0], orjson.dumps(receipt).decode()
        for user_id in user_ids:
            values = _hash(secret, user_id), _key_id(secret), stored
            connection.exec_driver_sql(statement, values)

    def hashes_of(self, user_id: UUID) -> list[bytes]:
        """The hashes of a user with all secrets, first that with which a tombstone is made."""
        return [_hash(secret, user_id) for secret in self.secrets]

    def receipt(self, connection: Connection, schema: SchemaName, user_id: UUID) -> dict[str, Any] | None:
        """The receipt of an erased user."""
        hashes = self.hashes_of(user_id)
        query = f"SELECT receipt FROM {schema['erased_user']} WHERE hash = ANY(%s::bytea[])"
        found: dict[str, Any] | None = connection.exec_driver_sql(query, (hashes,)).scalars().first()
        return found

    def remove_again(
        self, connection: Connection, schema: SchemaName, user_ids: Collection[UUID]
    ) -> list[Mapping[str, int]]:
        """Remove the rows of those of the users who were erased before; returns the removed rows of each by table."""
        removed: list[Mapping[str, int]] = []
        for user_id in self.erased(connection, schema, user_ids):
            rows = connection.exec_driver_sql(f"SELECT * FROM {schema['feed_erase_user']}(%s)", (user_id,))
            removed.append(dict(map(tuple, rows)))
            # the outbox has the id again: it is purged an hour after this time
            connection.exec_driver_sql(
                f"UPDATE {schema['erased_user']} SET erased_at = now() WHERE hash = ANY(%s::bytea[])",
                (self.hashes_of(user_id),),
            )
        return removed

    def apply(self, connection: Connection, schema: SchemaName) -> int:
        """Remove the rows of all erased users whom feed_users shows; returns the number of those who had rows.

        Raises ConfigurationError as `require_known` does.
        """
        if not self.require_known(connection, schema):
            return 0
        users = connection.exec_driver_sql(f"SELECT id FROM {schema['feed_users']}").scalars().all()
        return sum(any(of_user.values()) for of_user in self.remove_again(connection, schema, users))


def last_erasure(connection: Connection, schema: SchemaName, age: timedelta) -> datetime | None:
    """The time of the last erasure that is at least so old."""
    if not _has_table(connection, schema):
        return None
    query = f"SELECT max(erased_at) FROM {schema['erased_user']} WHERE erased_at <= now() - %s"
    found: datetime | None = connection.exec_driver_sql(query, (age,)).scalar_one()
    return found


NO_TOMBSTONES: Final = Tombstones()
"""Recognises nobody."""


def receipt_time(receipt: Mapping[str, Any]) -> datetime:
    """The time of the erasure in a stored receipt."""
    return datetime.fromisoformat(receipt["erased_at"])


def _has_table(connection: Connection, schema: SchemaName) -> bool:
    """False if the schema was migrated by an earlier version."""
    found = connection.exec_driver_sql("SELECT to_regclass(%s)", (schema["erased_user"],)).scalar_one()
    return found is not None


def _hash(secret: bytes, user_id: UUID) -> bytes:
    return hmac.digest(secret, b"erased user " + user_id.bytes, "sha256")


def _key_id(secret: bytes) -> bytes:
    """Identifies a secret without revealing it."""
    return hmac.digest(secret, b"id of the secret", "sha256")[:8]
