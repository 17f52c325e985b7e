"""Reads the log for an export: the events that an earlier export lacks, day by day, and all follows.

COPY sends fixed-size records, which numpy reads. Memory holds one page of them, however long the log is.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.entities import INTERACTION_TYPES
from app.domain.errors import PositionExpired
from app.infrastructure.database.feed_log_impl import is_purged_after
from app.infrastructure.database.full_read import OCCURRED_AT, RECEIVED_AT, RECORDS_PER_PAGE
from app.infrastructure.database.schema import SchemaName

OnPage = Callable[[NDArray[np.void]], None]
"""Receives the next records."""

_KINDS: Final = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(INTERACTION_TYPES))
_EVENT: Final = {
    "user": ("user_id", "V16"),
    "post": ("post_id", "V16"),
    "kind": (f"(CASE interaction_type {_KINDS} END)::int2", ">i2"),
    "time": (OCCURRED_AT, ">i8"),
    "received": (RECEIVED_AT, ">i8"),
    "seq": ("seq", ">i8"),
}
"""Field of a record -> its SQL expression and dtype. Times are as PostgreSQL sends them (`unix_microseconds`)."""
_FOLLOW: Final = {
    "follower": ("follower_id", "V16"),
    "followee": ("followee_id", "V16"),
    "since": ("coalesce(created_at, '-infinity')", ">i8"),
}
_COPY_HEADER_BYTES: Final = 19
_COPY_TRAILER_BYTES: Final = 2
_FIRST_DAY: Final = date(1970, 1, 1)
"""The day of events that were received before it, or have no time."""


@dataclass(frozen=True, slots=True)
class ExportRange:
    """The events that an export adds: of transactions from `first_xid` on and below `end_xid`, and the updated ones.

    Every transaction below `end_xid` has ended, so an event is in one range only, whenever it is committed.

    since    events up to this number are not exported
    changed  the numbers of earlier events that were updated or removed since `first_xid`
    updated  those of them that exist; they are added again
    today    the last day
    """

    first_xid: int
    end_xid: int
    since: int
    changed: tuple[int, ...]
    updated: tuple[int, ...]
    today: date

    def condition(self, day: date | None = None) -> str:
        """The SQL condition of the events, or of those that were received on a day (UTC)."""
        new = f"(xid >= '{self.first_xid}'::xid8 AND xid < '{self.end_xid}'::xid8)"
        if self.updated:
            new = f"({new} OR seq = ANY('{{{','.join(map(str, self.updated))}}}'::bigint[]))"
        parts = [new, f"seq > {self.since}"]
        if day is not None and day > _FIRST_DAY:
            parts.append(f"created_at >= '{day}'::timestamptz")
        if day is not None and day < self.today:
            parts.append(f"created_at < '{day + timedelta(days=1)}'::timestamptz")
        return " AND ".join(parts)


def read_range(connection: Connection, schema: SchemaName, *, since: int, first_xid: int) -> ExportRange:
    """The range that the connection's snapshot adds to an export of all transactions below `first_xid` (0: of none).

    Raises PositionExpired if the log does not say which of the exported events were removed since.
    """
    end_xid, today = connection.exec_driver_sql(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, now()::date"
    ).one()
    if not first_xid:
        return ExportRange(first_xid, end_xid, since, (), (), today)
    if is_purged_after(connection, schema, str(first_xid)):
        raise PositionExpired("the outbox was purged of changes since the last export (OUTBOX_DAYS)")
    truncations, changed = connection.exec_driver_sql(
        "SELECT count(*) FILTER (WHERE event_seqs IS NULL), array_agg(DISTINCT event) FILTER (WHERE event IS NOT NULL) "
        f"FROM {schema['feed_change']} LEFT JOIN LATERAL unnest(event_seqs) AS event ON true "
        f"WHERE entity = 'event' AND xid >= '{first_xid}'::xid8 AND xid < '{end_xid}'::xid8"
    ).one()
    if truncations:
        raise PositionExpired("the table of interactions was truncated since the last export")
    existing = connection.exec_driver_sql(
        f"SELECT seq FROM {schema['user_interaction']} WHERE seq = ANY(%s)", (changed or [],)
    )
    return ExportRange(first_xid, end_xid, since, tuple(changed or ()), tuple(existing.scalars()), today)


def read_days(connection: Connection, schema: SchemaName, added: ExportRange) -> Sequence[tuple[date, int]]:
    """The days (UTC) on which events of a range were received, and the number of events of each."""
    rows = connection.exec_driver_sql(
        f"SELECT greatest({RECEIVED_AT}, '{_FIRST_DAY}'::timestamptz)::date AS day, count(*) "
        f"FROM {schema['user_interaction']} WHERE {added.condition()} GROUP BY day ORDER BY day"
    )
    return [(day, count) for day, count in rows]


def copy_events(
    connection: Connection, schema: SchemaName, added: ExportRange, day: date, on_page: OnPage
) -> None:
    """Pass on the events of a range that were received on a day. Types that this version does not know are skipped."""
    types = ", ".join(f"'{name}'" for name in INTERACTION_TYPES)
    source = f"{schema['user_interaction']} WHERE {added.condition(day)} AND interaction_type IN ({types})"
    _copy(connection, _EVENT, source, on_page)


def copy_follows(connection: Connection, schema: SchemaName, on_page: OnPage) -> None:
    """Pass on all follows between two different users."""
    _copy(connection, _FOLLOW, f"{schema['feed_follows']} WHERE follower_id <> followee_id", on_page)


def _copy(
    connection: Connection, fields: Mapping[str, tuple[str, str]], source: str, on_page: OnPage
) -> None:
    expressions = ", ".join(expression for expression, _ in fields.values())
    records = _CopiedRecords({name: dtype for name, (_, dtype) in fields.items()}, on_page)
    cursor: Any = connection.connection.cursor()
    with closing(cursor):
        cursor.copy_expert(f"COPY (SELECT {expressions} FROM {source}) TO STDOUT (FORMAT binary)", records)
    records.finish()


class _CopiedRecords:
    """Divides the output of COPY in binary form into pages of records. No field may be NULL."""

    def __init__(self, fields: Mapping[str, str], on_page: OnPage) -> None:
        self._n_fields = len(fields)
        framed = [
            part for name, dtype in fields.items() for part in ((f"{name}_bytes", ">i4"), (name, dtype))
        ]
        self._dtype = np.dtype([("n_fields", ">i2"), *framed])
        self._page_bytes = RECORDS_PER_PAGE * self._dtype.itemsize
        self._received = bytearray()
        self._skip = _COPY_HEADER_BYTES
        self._on_page = on_page

    def write(self, data: bytes) -> int:
        """Receive the next bytes; psycopg2 calls this for each row."""
        self._received += data
        if len(self._received) >= self._skip + self._page_bytes:
            self._pass_on(self._page_bytes)
        return len(data)

    def finish(self) -> None:
        """Pass on the records of the last page."""
        length = len(self._received) - self._skip - _COPY_TRAILER_BYTES
        if length > 0:
            self._pass_on(length)

    def _pass_on(self, length: int) -> None:
        page = np.frombuffer(bytes(self._received[self._skip : self._skip + length]), self._dtype)
        if not (page["n_fields"] == self._n_fields).all():
            raise ValueError("the database sent a record with a missing value")
        del self._received[: self._skip + length]
        self._skip = 0
        self._on_page(page)
