"""Reads the tables of a schema, with their columns and keys, from the catalogue of PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from app.infrastructure.database.adoption.names import quoted
from app.infrastructure.database.schema import OWNER_MARK

INTEGERS: Final = frozenset({"smallint", "integer", "bigint"})
TEXTS: Final = frozenset({"text", "character varying", "character", "citext", "name"})


@dataclass(frozen=True, slots=True)
class Reference:
    """What a foreign key of one column refers to."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `type` is its base type, without length; `labels` are those of an enum type."""

    name: str
    type: str
    reference: Reference | None = None
    labels: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """`integer`, `text`, `uuid`, `time` or `boolean`; the type itself for others."""
        if self.type in INTEGERS:
            return "integer"
        if self.type in TEXTS or self.labels:
            return "text"
        return "time" if self.type.startswith("timestamp") or self.type == "date" else self.type


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of a team; `key` holds the columns of its primary key, none for a view."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    is_view: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


_STATEMENT: Final = """
SELECT c.relname, c.relkind NOT IN ('r', 'p') AS is_view, a.attname,
    format_type(coalesce(nullif(base.typbasetype, 0), nullif(typ.typbasetype, 0), typ.oid), NULL) AS type,
    a.attnum = ANY (coalesce(primary_key.columns, '{}')) AS in_key,
    ARRAY(
        SELECT enumlabel FROM pg_enum WHERE enumtypid = coalesce(nullif(typ.typbasetype, 0), typ.oid)
        ORDER BY enumsortorder
    )::text[] AS labels,
    target.nspname AS target_schema, target.relname AS target_table, target.attname AS target_column
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type typ ON typ.oid = a.atttypid
LEFT JOIN pg_type base ON base.oid = typ.typbasetype
LEFT JOIN LATERAL (
    SELECT i.indkey::smallint[] AS columns FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
) AS primary_key ON true
LEFT JOIN LATERAL (
    SELECT n.nspname, r.relname, ra.attname FROM pg_constraint f
    JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = f.confkey[1]
    WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum] ORDER BY f.oid LIMIT 1
) AS target ON true
WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT c.relispartition AND coalesce(obj_description(c.oid, 'pg_class'), '') <> %(mark)s
    AND (to_regclass(format('%%I.feed_change', %(schema)s)) IS NULL OR c.relname !~ '^feed_|^interaction_impression$')
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY c.relname, a.attnum
"""


def read_tables(connection: Connection, schema: str) -> list[Table]:
    """Return the tables and views of a schema, without those of this service, of extensions and partitions."""
    rows = connection.exec_driver_sql(_STATEMENT, {"schema": schema, "mark": OWNER_MARK}).all()
    return [
        _table(schema, name, list(columns)) for name, columns in groupby(rows, key=lambda row: row.relname)
    ]


def read_referenced_tables(connection: Connection, tables: Sequence[Table]) -> list[Table]:
    """Return the tables of other schemas to which foreign keys of `tables` refer."""
    references = [column.reference for table in tables for column in table.columns if column.reference]
    names = {(one.schema, one.table) for one in references if one.schema != tables[0].schema}
    return [
        table
        for schema in sorted({schema for schema, _ in names})
        for table in read_tables(connection, schema)
        if (schema, table.name) in names
    ]


def _table(schema: str, name: str, rows: Sequence[Any]) -> Table:
    columns = tuple(
        Column(
            row.attname,
            row.type,
            Reference(row.target_schema, row.target_table, row.target_column) if row.target_table else None,
            tuple(row.labels),
        )
        for row in rows
    )
    return Table(schema, name, columns, tuple(row.attname for row in rows if row.in_key), rows[0].is_view)


def distinct_values(connection: Connection, table: Table, column: Column, condition: str) -> list[str]:
    """Return the values of a column, as texts, in rows `t` that fulfil the SQL condition; at most 100."""
    query = (
        f"SELECT DISTINCT t.{quoted(column.name)}::text AS value FROM {table.sql} t "
        f"WHERE t.{quoted(column.name)} IS NOT NULL AND {condition} ORDER BY value LIMIT 100"
    )
    return list(connection.exec_driver_sql(query.replace("%", "%%")).scalars())
