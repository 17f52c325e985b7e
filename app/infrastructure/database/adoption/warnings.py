"""Finds views that are empty, or show no post, although a team's tables have rows."""

from typing import Final

from sqlalchemy import Connection

from app.infrastructure.database.adoption.catalogue import Table, read_tables
from app.infrastructure.database.adoption.entity_tables import find_candidates
from app.infrastructure.database.adoption.publication import publication
from app.infrastructure.database.migrations.adopted_tables import VIEW_COLUMNS, unusable_columns
from app.infrastructure.database.schema import SchemaName

_REMEDY: Final = "run `python -m data.adopt`"


def adoption_warnings(connection: Connection, schema: SchemaName) -> list[str]:
    """Return a text for each view of users and posts that shows nothing of existing rows: table, column and type."""
    if connection.exec_driver_sql("SELECT to_regclass(%s) IS NULL", (schema["feed_posts"],)).scalar_one():
        return [f"{schema['feed_posts']}: the view does not exist; run `python -m data.adopt create-views`"]
    if _exists(connection, f"{schema['feed_posts']} WHERE visible IS NOT FALSE"):
        views = ["feed_users"]
    else:
        views = ["feed_users", "feed_posts"]
    empty = [view for view in views if not _exists(connection, schema[view])]
    hidden = "feed_posts" in views and "feed_posts" not in empty
    texts = [f"feed_posts: none of its posts is visible; {_REMEDY}"] if hidden else []
    if not empty:
        return texts
    tables = {table.name: table for table in read_tables(connection, schema.plain)}
    for view in empty:
        name = VIEW_COLUMNS[view][0]
        if name in tables:  # the default view selects from it
            texts += _of_default_view(connection, view, tables[name])
        else:
            texts += _of_other_tables(connection, view)
    return texts


def _exists(connection: Connection, source: str) -> bool:
    query = f"SELECT EXISTS (SELECT FROM {source})"
    return bool(connection.exec_driver_sql(query.replace("%", "%%")).scalar_one())


def _has_rows(connection: Connection, table: Table) -> bool:
    """Return whether the table has rows. A role that may not read it uses the statistics (-1: unknown)."""
    query = (
        "SELECT has_table_privilege(oid, 'SELECT'), reltuples <> 0 FROM pg_class WHERE oid = to_regclass(%s)"
    )
    may_read, has_rows = connection.exec_driver_sql(query, (table.sql,)).one()
    return _exists(connection, table.sql) if may_read else bool(has_rows)


def _of_default_view(connection: Connection, view: str, table: Table) -> list[str]:
    if not _has_rows(connection, table):
        return []
    problems = unusable_columns(view, table.columns)
    if not problems and view == "feed_posts":
        problems = [
            f"{one.name} ({one.type}) has an unknown meaning" for one in publication(table.columns).unknown
        ]
    return [
        f"{view} is empty: {table}.{problem}; {_REMEDY}"
        for problem in problems or ["id has no row in the view"]
    ]


def _of_other_tables(connection: Connection, view: str) -> list[str]:
    """Look for tables of users or posts in all schemas; `public` comes first."""
    query = (
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' "
        "ORDER BY nspname <> 'public', nspname"
    )
    for name in connection.exec_driver_sql(query).scalars().all():
        for table in find_candidates(read_tables(connection, name), view):
            if _has_rows(connection, table):
                remedy = _REMEDY if name == "public" else f"run `python -m data.adopt --schema {name}`"
                return [f"{view} is empty, although {table} has rows ({_key(table)}); {remedy}"]
    return []


def _key(table: Table) -> str:
    return (
        ", ".join(f"{column.name} {column.type}" for column in table.columns if column.name in table.key)
        or "no key"
    )
