"""Default bodies of the three views, over the service's own tables or over adopted tables of the same name."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from app.infrastructure.database.adoption.catalogue import Column, read_tables
from app.infrastructure.database.adoption.publication import publication, user_publication
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
    """Return the CREATE VIEW statement of `view` over its table in `schema`, from the columns that the table has.

    Deleted rows of an adopted table, drafts and rows of deleted users are not visible. If a column may say so and its
    meaning is unknown, the view is empty.
    """
    table, columns = VIEW_COLUMNS[view]
    if not adopted:
        return view_of_columns(connection, schema, view, table, columns, adopted=False)
    tables = {found.name: found for found in read_tables(connection, schema.plain)}
    adopted_columns = [column for column in tables[table].columns if column.name != "visible"]
    published = (user_publication if view == "feed_users" else publication)(adopted_columns)
    if view != "feed_posts":
        return view_of_columns(
            connection, schema, view, table, columns, adopted=True, condition=published.condition
        )
    visible = published.condition
    users = tables.get("users")
    of_author = user_publication(users.columns, "u").condition if users else "true"
    if of_author != "true" and "author_id" in {column.name for column in adopted_columns}:
        author = "u.id::text = t.author_id::text"
        visible += f" AND NOT EXISTS (SELECT FROM {schema['users']} u WHERE {author} AND NOT ({of_author}))"
    condition = "false" if published.unknown else "true"
    return view_of_columns(
        connection, schema, view, table, columns, adopted=True, condition=condition, visible=visible
    )


def view_of_columns(
    connection: Connection,
    schema: SchemaName,
    view: str,
    table: str,
    view_columns: Mapping[str, tuple[str, str | None]],
    *,
    adopted: bool,
    condition: str = "true",
    visible: str = "true",
) -> str:
    """As `view_over`, for a view of `view_columns` over `table` (see VIEW_COLUMNS).

    condition  SQL condition of the rows of the view
    visible    further SQL condition of the column `visible`
    """
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
            continue
        if table_columns.get(name) == "timestamp without time zone":
            expression = f"t.\"{name}\" AT TIME ZONE 'UTC'"
        elif table_columns.get(name) in CASTABLE[kind]:
            expression = f't."{name}"::{kind}'
        elif replacement is None:
            nulls = ", ".join(f'NULL::{kind} AS "{name}"' for name, (kind, _) in view_columns.items())
            return f"CREATE VIEW {schema[view]} AS SELECT {nulls} WHERE false"
        else:
            expression = replacement
        if name == "visible" and visible != "true":
            expression = f"({expression} AND {visible})"
        columns.append(f'{expression} AS "{name}"')
    source = f"{schema[table]} t"
    if adopted and "seq" in view_columns:
        source += f" LEFT JOIN {schema['feed_post_number']} n ON n.post_id = t.id"
    where = "" if condition == "true" else f" WHERE {condition}"
    return f"CREATE VIEW {schema[view]} AS SELECT {', '.join(columns)} FROM {source}{where}"


def unusable_columns(view: str, columns: Sequence[Column]) -> list[str]:
    """Return why the default view over an adopted table is empty: columns that are missing or of an unsuitable type."""
    types = {column.name: column.type for column in columns}
    needed = {
        name: kind for name, (kind, replacement) in VIEW_COLUMNS[view][1].items() if replacement is None
    }
    return [
        f"{name} ({types[name]}) must be {kind}" if name in types else f"{name} ({kind}) is missing"
        for name, kind in needed.items()
        if name != "seq" and types.get(name) not in CASTABLE[kind]
    ]
