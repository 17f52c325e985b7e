"""Gives ids to rows of adopted tables whose keys are no uuids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection

from app.domain.errors import InvalidId
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.schema import SchemaName

_ROWS_PER_PAGE: Final = 20_000


def add_keys(connection: Connection, schema: SchemaName, since: datetime | None = None) -> int:
    """Add the ids of all rows that have none; return their number.

    since  only posts created since then, and their authors

    The id is the one that the API derives from the row's key. Where two keys have one (" ann" and "ann"), or a key is
    no id of the API, the row gets an id of its own.
    """
    if connection.exec_driver_sql("SELECT to_regclass(%s) IS NULL", (schema["feed_unkeyed"],)).scalar_one():
        return 0  # an earlier version migrated the schema
    condition, parameters = (
        ("", ()) if since is None else ("WHERE kind <> 'user' AND created_at >= %s", (since,))
    )
    kinds = "CASE kind WHEN 'post' THEN 'post' ELSE 'user' END"
    query = f"SELECT DISTINCT {kinds}, external_id FROM {schema['feed_unkeyed']} {condition}"
    unkeyed: dict[str, list[str]] = {"user": [], "post": []}
    for kind, external_id in connection.exec_driver_sql(query, parameters):
        unkeyed[kind].append(external_id)
    return sum(_add(connection, schema[f"feed_{kind}_key"], kind, ids) for kind, ids in unkeyed.items())


def _add(connection: Connection, table: str, kind: str, external_ids: Sequence[str]) -> int:
    added = 0
    statement = (
        f"INSERT INTO {table} (external_id, id) SELECT * FROM unnest(%s::text[], %s::uuid[]) "
        "ON CONFLICT DO NOTHING RETURNING external_id"
    )
    for start in range(0, len(external_ids), _ROWS_PER_PAGE):
        page = external_ids[start : start + _ROWS_PER_PAGE]
        ids = [str(_derived(kind, one)) for one in page]
        rows = set(connection.exec_driver_sql(statement, (page, ids)).scalars())
        others = list(set(page) - rows)  # their id belongs to another row, or another process was faster
        if others:
            ids = [str(_own_id(kind, one)) for one in others]
            rows |= set(connection.exec_driver_sql(statement, (others, ids)).scalars())
        added += len(rows)
    return added


def _derived(kind: str, external_id: str) -> UUID:
    try:
        return post_uuid(external_id) if kind == "post" else user_uuid(external_id)
    except InvalidId:
        return _own_id(kind, external_id)


def _own_id(kind: str, external_id: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"key of {kind}:{external_id}")
