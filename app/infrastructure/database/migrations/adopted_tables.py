"""Default bodies of the three views, over the service's own tables or over adopted tables of the same name."""

from collections.abc import Mapping

from sqlalchemy import Connection

from app.infrastructure.database.schema import SchemaName

# view -> table, and for each column of the view its type and the expression that replaces it if an adopted table lacks
# it. None: without this column the view is empty until the team redefines it.
VIEW_COLUMNS: dict[str, tuple[str, dict[str, tuple[str, str | None]]]] = {
    "feed_users": (
        "users",
        {
            "id": ("uuid", None),
            "external_id": ("text", "t.id::text"),
            "created_at": ("timestamptz", "'epoch'::timestamptz"),
        },
    ),
    "feed_posts": (
        "posts",
        {
            "id": ("uuid", None),
            "external_id": ("text", "t.id::text"),
            "author_id": ("uuid", "NULL::uuid"),
            "content": ("text", "NULL::text"),
            "tags": ("text[]", "'{}'::text[]"),
            "visible": ("boolean", "true"),
            "created_at": ("timestamptz", None),
            "seq": ("bigint", None),
        },
    ),
    "feed_follows": (
        "follows",
        {
            "follower_id": ("uuid", None),
            "followee_id": ("uuid", None),
            "created_at": ("timestamptz", "NULL::timestamptz"),
        },
    ),
}
# An adopted column of one of these types is cast. A column of another type (integer ids, JSON tags) counts as missing.
CASTABLE = {
    "uuid": {"uuid"},
    "text": {"text", "character varying", "uuid", "integer", "bigint"},
    "text[]": {"text[]", "character varying[]"},
    "boolean": {"boolean"},
    "timestamptz": {"timestamp with time zone", "timestamp without time zone"},
    "bigint": {"bigint", "integer"},
}


def view_over(connection: Connection, schema: SchemaName, view: str, *, adopted: bool) -> str:
    """Return the CREATE VIEW statement of `view` over its table in `schema`, from the columns that the table has."""
    return view_of_columns(connection, schema, view, *VIEW_COLUMNS[view], adopted=adopted)


def view_of_columns(
    connection: Connection,
    schema: SchemaName,
    view: str,
    table: str,
    view_columns: Mapping[str, tuple[str, str | None]],
    *,
    adopted: bool,
) -> str:
    """As `view_over`, for a view of `view_columns` over `table` (see VIEW_COLUMNS)."""
    query = (
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    rows = connection.exec_driver_sql(query, (schema[table],))
    table_columns = {row.attname: row.format_type for row in rows}  # types without length and precision
    columns = []
    for name, (kind, replacement) in view_columns.items():
        if name == "seq" and adopted:  # a column `seq` of an adopted table may have any meaning
            columns.append('n.seq AS "seq"')
        elif table_columns.get(name) == "timestamp without time zone":
            columns.append(f't."{name}" AT TIME ZONE \'UTC\' AS "{name}"')
        elif table_columns.get(name) in CASTABLE[kind]:
            columns.append(f't."{name}"::{kind} AS "{name}"')
        elif replacement is None:
            nulls = ", ".join(f'NULL::{kind} AS "{name}"' for name, (kind, _) in view_columns.items())
            return f"CREATE VIEW {schema[view]} AS SELECT {nulls} WHERE false"
        else:
            columns.append(f'{replacement} AS "{name}"')
    source = f"{schema[table]} t"
    if adopted and "seq" in view_columns:
        source += f" LEFT JOIN {schema['feed_post_number']} n ON n.post_id = t.id"
    return f"CREATE VIEW {schema[view]} AS SELECT {', '.join(columns)} FROM {source}"
