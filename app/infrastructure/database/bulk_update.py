"""Compares the rows of a feed with those that the database already has, and changes these, as a part of `load_feed`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.infrastructure.database.bulk_rows import Columns, json_rows, json_values
from app.infrastructure.database.schema import SchemaName

_ROWS_PER_STATEMENT: Final = 5_000
_SETS: Final = {"follows": ("follower_id", "followee_id"), "memberships": ("user_id", "audience_id")}
"""Table -> the columns of its key: the first has a set of the second."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenRows:
    """The rows and columns that the files of a feed describe. A feed also has rows that others only mention.

    rows     table (users, posts) -> (n,) whether a file describes the row
    columns  table -> the columns that its file has, without the id
    sets     tables (follows, memberships) that a file describes
    """

    rows: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sets: Sequence[str] = ()


def different_rows(
    connection: Connection,
    schema: SchemaName,
    table: str,
    columns: Columns,
    given: GivenRows,
    *,
    update: bool,
) -> int:
    """The number of stored rows of users or posts whose values differ from the given ones; `update` changes them."""
    names = [name for name in given.columns.get(table, ()) if name in columns]
    if not names:
        return 0
    stored, rows = (", ".join(f"{alias}.{name}" for name in names) for alias in ("t", "given"))
    source = f"json_populate_recordset(NULL::{schema[table]}, %s) AS given"
    where = f"t.id = given.id AND ROW({stored}) IS DISTINCT FROM ROW({rows})"
    statement = (
        f"UPDATE {schema[table]} t SET ({', '.join(names)}) = ROW({rows}) FROM {source} WHERE {where}"
        if update
        else f"SELECT FROM {schema[table]} t, {source} WHERE {where}"
    )
    numbers = np.flatnonzero(given.rows[table])
    wanted = {name: columns[name] for name in ("id", *names)}
    count = 0
    for start in range(0, len(numbers), _ROWS_PER_STATEMENT):
        page = json_rows(wanted, numbers[start : start + _ROWS_PER_STATEMENT])
        count += connection.exec_driver_sql(statement, (orjson.dumps(page).decode(),)).rowcount
    return count


def surplus_rows(
    connection: Connection, schema: SchemaName, table: str, columns: Columns, *, update: bool
) -> int:
    """The number of stored rows that the given sets lack, of those users whose set is given; `update` removes them."""
    owner, member = _SETS[table]
    source = f"json_populate_recordset(NULL::{schema[table]}, %s)"
    where = (
        f"WHERE t.{owner} IN (SELECT {owner} FROM given) AND NOT EXISTS "
        f"(SELECT FROM given WHERE given.{owner} = t.{owner} AND given.{member} = t.{member})"
    )
    action = "DELETE" if update else "SELECT"
    statement = f"WITH given AS MATERIALIZED (SELECT * FROM {source}) {action} FROM {schema[table]} t {where}"
    count = 0
    for numbers in _pages_of_whole_sets(columns[owner]):
        page = json_rows({name: columns[name] for name in (owner, member)}, numbers)
        count += connection.exec_driver_sql(statement, (orjson.dumps(page).decode(),)).rowcount
    return count


def _pages_of_whole_sets(owners: Any) -> Iterator[NDArray[np.intp]]:
    """Row numbers by owner, in pages that end with an owner."""
    _, codes = np.unique(np.array(json_values(owners), np.str_), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    is_last = np.append(codes[order[1:]] != codes[order[:-1]], np.True_)
    ends = np.flatnonzero(is_last) + 1
    start = 0
    while start < len(order):
        end = int(ends[ends >= min(start + _ROWS_PER_STATEMENT, len(order))][0])
        yield order[start:end]
        start = end
