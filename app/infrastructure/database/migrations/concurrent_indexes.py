"""Builds indexes on existing tables before the transaction of the migrations, without blocking writes.

CREATE INDEX CONCURRENTLY cannot run in a transaction. The migration that adds the index finds it and skips it; in a
new database the table is missing here, and the migration builds the index on an empty one.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from app.infrastructure.database.migrate import VERSION_TABLE
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

_WORDS: Final = (
    "USING gin (array_to_tsvector(array_remove(string_to_array("
    "{{schema}}.feed_words(left({column}, 200)), ' '), '')))"
)
INDEXES: Final[Mapping[str, tuple[str, str, str]]] = {
    "idx_posts_author_created": ("0013", "posts", "(author_id, created_at, seq)"),
    "idx_posts_reply": ("0018", "posts", "(reply_to, created_at) WHERE reply_to IS NOT NULL"),
    "idx_posts_tags": ("0019", "posts", "USING gin (tags)"),
    "idx_posts_search": (
        "0019",
        "posts",
        "USING gin (to_tsvector('simple', {schema}.feed_words(left(content, 20000))))",
    ),
    "idx_users_name_words": ("0024", "users", _WORDS.format(column="username")),
    "idx_users_id_words": ("0024", "users", _WORDS.format(column="external_id")),
}
"""By name: the revision before the index, table, and method and columns. An index on an existing table needs a line.

In a database of an older revision the migration builds the index: a migration before it may still be rejected.
"""

_MISSING: Final = """
    SELECT (SELECT max(version_num) >= :revision FROM {versions})
        AND coalesce(obj_description(to_regclass(:table), 'pg_class') = :mark, false)
        AND NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid)
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE relid = to_regclass(:table))
"""


def build_indexes(connection: Connection, schema: SchemaName) -> None:
    """Build the missing indexes of the service's own tables, also those of an interrupted build.

    `connection` has no transaction; afterwards it is as before. An index that another session builds is skipped.
    """
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": schema[VERSION_TABLE]}) is None:
            return
        is_missing = text(_MISSING.format(versions=schema[VERSION_TABLE]))
        for index, (revision, table, columns) in INDEXES.items():
            names = {"revision": revision, "index": schema[index], "table": schema[table], "mark": OWNER_MARK}
            if connection.scalar(is_missing, names):
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {schema[index]}"))
                definition = f"{index} ON {schema[table]} {columns.format(schema=schema)}"
                connection.execute(text(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {definition}"))
    finally:
        connection.rollback()
        connection.execution_options(isolation_level=connection.default_isolation_level)
