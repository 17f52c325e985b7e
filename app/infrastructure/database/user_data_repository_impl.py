"""UserDataRepository over PostgreSQL."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.errors import InvalidMerge, ManagedElsewhere, StorageUnavailable, UnknownUser
from app.domain.repositories.feed_log import FeedChanges
from app.domain.repositories.user_data_repository import ErasureReceipt, MergeReceipt, RemovedUserData
from app.infrastructure.database.changed_rows import keys_of, read_present_rows
from app.infrastructure.database.schema import OWNER_MARK
from app.infrastructure.database.sql_repository import SqlRepository
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones, receipt_time
from app.infrastructure.database.user_tables import INTERNAL_COLUMNS, USER_TABLES, UserTable

_ROWS_PER_FETCH: Final = 500
_MERGED_INTO: Final = "merged_into"
"""Field in the receipt of a merged user: the keyed hash of the user who has their rows."""


@dataclass(frozen=True, slots=True)
class SqlUserDataRepository(SqlRepository):
    """UserDataRepository over the tables of `user_tables`, as far as the migrations created them."""

    tombstones: Tombstones = NO_TOMBSTONES

    def export(self, user_id: str, write: Callable[[bytes], object]) -> None:
        """As in UserDataRepository, with a bounded number of rows in memory.

        Each table is a list of its rows. `managed_elsewhere` names views and tables of another application, whose rows
        are not exported.
        """
        with self.transaction(snapshot=True) as connection:
            key = self._known_user(connection, user_id)
            elsewhere = self._managed_elsewhere(connection)
            head = {"user_id": user_id, "exported_at": _now(connection), "managed_elsewhere": elsewhere}
            write(orjson.dumps(head)[:-1])
            for table in USER_TABLES:
                write(f',"{table.field}":['.encode())
                if self._is_made_here(connection, table.name):
                    for number, row in enumerate(self._rows(connection, table, key)):
                        write(b"," * (number > 0) + row.encode())
                write(b"]")
            write(b"}")

    def reset(self, user_id: str) -> RemovedUserData:
        """As in UserDataRepository, by the function feed_reset_user. Tables of another application stay as they are."""
        with self.transaction() as connection:
            return self._remove(connection, self._known_user(connection, user_id), "feed_reset_user")

    def erase(self, user_id: str) -> ErasureReceipt:
        """As in UserDataRepository, by the function feed_erase_user. Tables of another application stay as they are.

        Raises StorageUnavailable without a secret for the tombstone.
        """
        with self.transaction() as connection:
            key = self._key(connection, user_id)
            self._lock(connection, key)  # a second call waits
            ids = self._ids(connection, key)
            if not ids:
                stored = self.tombstones.receipt(connection, self.schema, key)
                if stored is None or _MERGED_INTO in stored:
                    raise UnknownUser(user_id)
                return ErasureReceipt(receipt_time(stored), stored["rows"], stored["managed_elsewhere"])
            self._require_secret()
            removed = self._remove(connection, key, "feed_erase_user")
            rows, elsewhere = removed.rows, removed.managed_elsewhere
            receipt = {"erased_at": _now(connection), "rows": rows, "managed_elsewhere": elsewhere}
            self.tombstones.add(connection, self.schema, ids, receipt)
            return ErasureReceipt(receipt_time(receipt), rows, elsewhere, removed.changes)

    def merge(self, user_id: str, from_user_id: str) -> MergeReceipt:
        """As in UserDataRepository, by the function feed_merge_user. Events of another transaction are waited for.

        Raises StorageUnavailable without a secret for the tombstone.
        """
        with self.transaction() as connection:
            own_users = self.shows_own_table("feed_users", "users")
            if not connection.exec_driver_sql(f"SELECT {own_users}").scalar_one():
                raise ManagedElsewhere(
                    "feed_users: the view shows the table of another application; merge the users there"
                )
            kept, gone = self._key(connection, user_id), self._key(connection, from_user_id)
            if kept == gone:
                raise InvalidMerge(f"{from_user_id}: a user cannot be merged with themselves")
            for key in sorted((kept, gone)):  # a second call waits
                self._lock(connection, key)
            self._require_secret()
            hashes = [one.hex() for one in self.tombstones.hashes_of(kept)]
            ids = self._ids(connection, gone)
            if not ids:
                stored = self.tombstones.receipt(connection, self.schema, gone)
                if stored is None or stored.get(_MERGED_INTO) not in hashes:
                    raise UnknownUser(from_user_id)
                return MergeReceipt(receipt_time(stored), stored["rows"])
            self._known_user(connection, user_id)
            query = f"SELECT store, changed FROM {self.schema['feed_merge_user']}(%s, %s)"
            rows: Counter[str] = Counter()
            for store, changed in connection.exec_driver_sql(query, (gone, kept)):
                rows[store] += changed
            receipt = {"erased_at": _now(connection), "rows": rows, _MERGED_INTO: hashes[0]}
            self.tombstones.add(connection, self.schema, ids, receipt)
            return MergeReceipt(receipt_time(receipt), rows, self._written(connection))

    def _lock(self, connection: Connection, user_id: UUID) -> None:
        """Wait for other calls that remove this user."""
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        connection.exec_driver_sql(lock, (f"feed erasure {self.schema} {user_id}",))

    def _ids(self, connection: Connection, user_id: UUID) -> set[UUID]:
        """The UUID of a user, and the one that is derived from their id; nothing of an unknown user."""
        row = connection.exec_driver_sql(
            f"SELECT id, {self.schema['feed_derived_id']}('user', coalesce(external_id::text, id::text)) "
            f"FROM {self.schema['feed_users']} WHERE id = %s",
            (user_id,),
        ).one_or_none()
        return set() if row is None else set(row)

    def _require_secret(self) -> None:
        if not self.tombstones.secrets:
            raise StorageUnavailable(
                "no secret for the tombstone of the user: set ERASURE_SECRET, or make KEYS_DIR writable"
            )

    def _remove(self, connection: Connection, user_id: UUID, function: str) -> RemovedUserData:
        """Call an SQL function that removes rows of a user, and read what the transaction changed."""
        elsewhere = self._managed_elsewhere(connection)
        removed = connection.exec_driver_sql(
            f"SELECT store, removed FROM {self.schema[function]}(%s)", (user_id,)
        )
        rows: dict[str, int] = dict(map(tuple, removed))
        return RemovedUserData(rows, elsewhere, self._written(connection))

    def _written(self, connection: Connection) -> FeedChanges:
        """What this transaction wrote into the outbox, with the present rows."""
        written = connection.exec_driver_sql(
            f"SELECT xid::text::bigint, seq, entity, key, other, event_seqs FROM {self.schema['feed_change']} "
            "WHERE xid = pg_current_xact_id() ORDER BY seq"
        )
        return read_present_rows(connection, self.schema, keys_of(written), [])

    def _key(self, connection: Connection, user_id: str) -> UUID:
        """The UUID of the user whom an id means, or would mean if they existed."""
        query = f"SELECT {self.schema['feed_user_id']}(%s)"
        key: UUID = connection.exec_driver_sql(query, (user_id,)).scalar_one()
        return key

    def _known_user(self, connection: Connection, user_id: str) -> UUID:
        """The UUID of the user whom an id means. Raises UnknownUser."""
        key = self._key(connection, user_id)
        try:
            self.require_user(connection, key)
        except UnknownUser:
            raise UnknownUser(user_id) from None
        return key

    def _rows(self, connection: Connection, table: UserTable, user_id: UUID) -> Iterator[str]:
        """The exported rows of a table as JSON."""
        row = f"to_jsonb(t) - '{{{','.join(INTERNAL_COLUMNS)}}}'::text[]"
        for name, value in (table.columns or {}).items():
            row += f" || jsonb_build_object('{name}', {table.of_schema(value, self.schema)})"
        connection.exec_driver_sql(
            f"DECLARE exported NO SCROLL CURSOR FOR SELECT ({row})::text FROM {self.schema[table.name]} t "
            f"WHERE {table.exported} ORDER BY {table.order}",
            {"user": user_id},
        )
        fetch = f"FETCH {_ROWS_PER_FETCH} FROM exported"
        while rows := connection.exec_driver_sql(fetch).scalars().all():
            yield from rows
        connection.exec_driver_sql("CLOSE exported")

    def _managed_elsewhere(self, connection: Connection) -> list[str]:
        """The views, and the tables without a view, that show rows of another application."""
        elsewhere = []
        for table in USER_TABLES:
            if table.view is None:
                is_own = self._is_made_here(connection, table.name)
            else:
                condition = self.shows_own_table(table.view, table.name)
                is_own = bool(connection.exec_driver_sql(f"SELECT {condition}").scalar_one())
            if not is_own:
                elsewhere.append(table.view or table.name)
        return elsewhere

    def _is_made_here(self, connection: Connection, table: str) -> bool:
        query = "SELECT obj_description(to_regclass(%s), 'pg_class')"
        return bool(connection.exec_driver_sql(query, (self.schema[table],)).scalar_one() == OWNER_MARK)


def _now(connection: Connection) -> str:
    """The time at which the transaction began, in the form of RFC 3339."""
    return str(connection.exec_driver_sql("SELECT to_jsonb(now()) #>> '{}'").scalar_one())
