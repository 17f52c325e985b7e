"""Default bodies of the three views: over our own tables, or over whatever table of that name a team has."""

from sqlalchemy import Connection, text

from app.infrastructure.database.schema import SchemaName

# view -> table, and for each column of the view its type and what stands in where an adopted table lacks it;
# None: without this column the view stays empty until the team defines it
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
# an adopted column of one of these types is cast; any other (integer ids, JSON tags) is treated as missing
CASTABLE = {
    "uuid": {"uuid"},
    "text": {"text", "character varying", "uuid", "integer", "bigint"},
    "text[]": {"text[]", "character varying[]"},
    "boolean": {"boolean"},
    "timestamptz": {"timestamp with time zone", "timestamp without time zone"},
    "bigint": {"bigint", "integer"},
}


def _type_family(spelled: str) -> str:
    """`character varying(40)[]` -> `character varying[]`, `timestamp(3) with time zone` -> without the precision."""
    if "(" not in spelled:
        return spelled
    return spelled[: spelled.index("(")] + spelled[spelled.index(")") + 1 :]


def view_over(connection: Connection, schema: SchemaName, view: str, *, adopted: bool) -> str:
    """CREATE VIEW of the given name over its table in `schema`, as the columns of that allow."""
    table, wanted = VIEW_COLUMNS[view]
    rows = connection.execute(
        text(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
        ),
        {"name": schema[table]},
    )
    present = {name: _type_family(spelled) for name, spelled in rows}
    columns = []
    for name, (kind, stand_in) in wanted.items():
        if (
            name == "seq" and adopted
        ):  # it may be missing, repeated or anything: adopted posts are numbered by us
            columns.append('n.seq AS "seq"')
        elif present.get(name) == "timestamp without time zone":
            columns.append(f't."{name}" AT TIME ZONE \'UTC\' AS "{name}"')
        elif present.get(name) in CASTABLE[kind]:
            columns.append(f't."{name}"::{kind} AS "{name}"')
        elif stand_in is None:
            nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, (kind, _) in wanted.items())
            return f"CREATE VIEW {schema[view]} AS SELECT {nothing} WHERE false"
        else:
            columns.append(f'{stand_in} AS "{name}"')
    numbered = (
        f" LEFT JOIN {schema['feed_post_number']} n ON n.post_id = t.id"
        if adopted and "seq" in wanted
        else ""
    )
    return f"CREATE VIEW {schema[view]} AS SELECT {', '.join(columns)} FROM {schema[table]} t{numbered}"
