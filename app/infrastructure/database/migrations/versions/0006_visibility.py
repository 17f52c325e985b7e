"""Add who may see a post: visibility, audiences, languages and sensitive posts; also threads and reposts.

Columns of our tables have defaults, so that earlier writers keep working. The functions `feed_complete_users` and
`feed_complete_posts` read the views, which may lack these columns. A membership is part of its user, so its changes are
changes of the user in the outbox.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import (
    comment_on,
    feed_schema,
    migration,
    reject_existing,
)
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0006"
down_revision = "0005"

# table -> columns that earlier migrations watch, and new columns with their types
COLUMNS = {
    "users": (
        ("external_id", "created_at"),
        {
            "discoverable": "boolean NOT NULL DEFAULT true",
            "personalised": "boolean NOT NULL DEFAULT true",
            "languages": "text[] NOT NULL DEFAULT '{}'",
            "show_sensitive": "boolean NOT NULL DEFAULT false",
        },
    ),
    "posts": (
        ("external_id", "author_id", "content", "tags", "visible", "created_at", "seq"),
        {
            "visibility": "text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'followers', 'members'))",
            "audience_id": "text CHECK (audience_id <> '')",
            "language": "text CHECK (language <> '')",
            "sensitive": "boolean NOT NULL DEFAULT false",
            "reply_to": "uuid",
            "root_id": "uuid",
            "repost_of": "uuid",
        },
    ),
}
# table -> view of the new columns
SETTINGS_VIEWS = {"users": "feed_user_settings", "posts": "feed_post_settings"}

UPDATE_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.feed_{table}_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key)
    SELECT '{entity}', 'delete', o.id FROM old_rows o WHERE NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id)
    UNION ALL
    SELECT '{entity}', 'upsert', n.id FROM new_rows n WHERE NOT EXISTS (
        SELECT FROM old_rows o WHERE o.id = n.id AND ROW({old}) IS NOT DISTINCT FROM ROW({new})
    );
    RETURN NULL;
END $body$
"""

MEMBERSHIPS = """
CREATE TABLE {memberships} (
    user_id uuid NOT NULL {references_users},
    audience_id text NOT NULL CHECK (audience_id <> ''),
    PRIMARY KEY (user_id, audience_id)
);
COMMENT ON TABLE {memberships} IS '{mark}';
CREATE VIEW {feed_memberships} AS SELECT user_id, audience_id FROM {memberships}
"""
NO_MEMBERSHIPS = (
    "CREATE VIEW {feed_memberships} AS SELECT NULL::uuid AS user_id, NULL::text AS audience_id WHERE false"
)
MEMBERSHIP_TRIGGER = """
CREATE FUNCTION {schema}.feed_memberships_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key) SELECT DISTINCT 'user', 'upsert', user_id FROM {rows};
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_memberships_{event} {time} {event} ON {memberships} {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_memberships_{event}()
"""
# event -> rows with the changed users, time, transition tables
MEMBERSHIP_TRIGGERS = {
    "insert": ("new_rows", "AFTER", "REFERENCING NEW TABLE AS new_rows"),
    "update": (
        "(SELECT user_id FROM old_rows UNION SELECT user_id FROM new_rows) AS both_rows",
        "AFTER",
        "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    ),
    "delete": ("old_rows", "AFTER", "REFERENCING OLD TABLE AS old_rows"),
    "truncate": ("{memberships}", "BEFORE", ""),
}

# of a post `p` by `viewer`
READABLE = """(
    p.visibility = 'public' OR p.author_id = viewer
    OR p.visibility = 'followers' AND EXISTS (
        SELECT FROM {feed_follows} f WHERE f.follower_id = viewer AND f.followee_id = p.author_id
    )
    OR p.visibility = 'members' AND EXISTS (
        SELECT FROM {feed_memberships} m WHERE m.user_id = viewer AND m.audience_id = p.audience_id
    )
)"""

# CREATE OR REPLACE VIEW cannot drop columns, so feed_users and feed_posts get no new ones: a team may still replace
# them by views without. A column that `present`, a row of the view, lacks is found one level further out, in `missing`:
# our own table, or NULL for the default. PostgreSQL resolves the names at each call, so a team may add columns to its
# view at any time. The functions become part of the plan of the caller's query, as a view does.
FUNCTIONS = """
CREATE FUNCTION {schema}.feed_complete_users() RETURNS TABLE (
    id uuid, external_id text, created_at timestamptz,
    discoverable boolean, personalised boolean, languages text[], show_sensitive boolean
) LANGUAGE sql STABLE AS $body$
    SELECT v.id::uuid, v.external_id::text, v.created_at::timestamptz,
        s.discoverable, s.personalised, s.languages, s.show_sensitive
    FROM {feed_users} v LEFT JOIN {feed_user_settings} missing ON missing.id = v.id CROSS JOIN LATERAL (
        SELECT coalesce(discoverable::boolean, true) AS discoverable,
            coalesce(personalised::boolean, true) AS personalised,
            coalesce(array_remove(array_remove(languages::text[], NULL), ''), '{{}}') AS languages,
            coalesce(show_sensitive::boolean, false) AS show_sensitive
        FROM (SELECT v.*) AS present
    ) AS s
$body$;

CREATE FUNCTION {schema}.feed_complete_posts() RETURNS TABLE (
    id uuid, external_id text, author_id uuid, content text, tags text[], visible boolean, created_at timestamptz,
    seq bigint, visibility text, audience_id text, language text, sensitive boolean, reply_to uuid, root_id uuid,
    repost_of uuid
) LANGUAGE sql STABLE AS $body$
    SELECT v.id::uuid, v.external_id::text, v.author_id::uuid, coalesce(v.content::text, ''),
        coalesce(array_remove(v.tags::text[], NULL), '{{}}'), coalesce(v.visible::boolean, true),
        v.created_at::timestamptz, v.seq::bigint, s.visibility, s.audience_id, s.language, s.sensitive,
        s.reply_to, s.root_id, s.repost_of
    FROM {feed_posts} v LEFT JOIN {feed_post_settings} missing ON missing.id = v.id CROSS JOIN LATERAL (
        SELECT coalesce(visibility::text, 'public') AS visibility, nullif(audience_id::text, '') AS audience_id,
            nullif(language::text, '') AS language, coalesce(sensitive::boolean, false) AS sensitive,
            reply_to::uuid AS reply_to, root_id::uuid AS root_id, repost_of::uuid AS repost_of
        FROM (SELECT v.*) AS present
    ) AS s
$body$;

CREATE FUNCTION {schema}.feed_readable_posts(viewer uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $body$
    SELECT p.id FROM {schema}.feed_complete_posts() p WHERE {readable}
$body$;
REVOKE ALL ON FUNCTION {schema}.feed_complete_users(), {schema}.feed_complete_posts(),
    {schema}.feed_readable_posts(uuid) FROM PUBLIC
"""

# Languages are compared without region: a reader of "de" and one of "de-CH" may both see a post in "de-AT".
VISIBLE_POSTS = """
CREATE OR REPLACE FUNCTION {schema}.feed_visible_posts(viewer uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $body$
    SELECT p.id FROM {schema}.feed_complete_posts() p
    WHERE p.visible AND p.created_at <= now()
    AND {readable}
    AND (p.author_id = viewer OR (
        NOT EXISTS (
            SELECT FROM {schema}.feed_complete_users() a WHERE a.id = p.author_id AND NOT a.discoverable
            AND NOT EXISTS (
                SELECT FROM {feed_follows} f WHERE f.follower_id = viewer AND f.followee_id = a.id
            )
        )
        AND NOT EXISTS (
            SELECT FROM {schema}.feed_complete_users() u
            WHERE u.id = viewer AND u.languages <> '{{}}' AND nullif(lower(split_part(p.language, '-', 1)), '') <> ALL (
                SELECT lower(split_part(l, '-', 1)) FROM unnest(u.languages) AS l
            )
        )
        AND (NOT p.sensitive OR EXISTS (
            SELECT FROM {schema}.feed_complete_users() u WHERE u.id = viewer AND u.show_sensitive
        ))
    ))
    {unhidden}
    {muted}
$body$
"""


def upgrade() -> None:
    schema = feed_schema()
    names = _names(schema)
    reject_existing(*(names[view] for view in ("feed_memberships", *SETTINGS_VIEWS.values())))
    for table, (watched, added) in COLUMNS.items():
        if comment_on(schema[table]) != OWNER_MARK:
            continue
        for column, kind in added.items():
            op.execute(f"ALTER TABLE {schema[table]} ADD COLUMN {column} {kind}")
        _capture_updates(schema, table, (*watched, *added))
    for table in COLUMNS:
        _create_settings_view(schema, table)
    _create_memberships(schema, names)
    readable = READABLE.format(**names)
    op.execute(FUNCTIONS.format(schema=schema, readable=readable, **names))
    op.execute(VISIBLE_POSTS.format(schema=schema, readable=readable, **_hidden(schema, names), **names))


def downgrade() -> None:
    schema = feed_schema()
    names = _names(schema)
    previous = migration("0005_muted_words").VISIBLE_POSTS
    op.execute(previous.format(schema=schema, **_hidden(schema, names), **names))
    op.execute(f"DROP FUNCTION {schema}.feed_readable_posts(uuid)")
    op.execute(f"DROP FUNCTION {schema}.feed_complete_posts()")
    op.execute(f"DROP FUNCTION {schema}.feed_complete_users()")
    for view in ("feed_memberships", *SETTINGS_VIEWS.values()):
        op.execute(f"DROP VIEW {names[view]}")
    if comment_on(names["memberships"]) == OWNER_MARK:
        op.execute(f"DROP TABLE {names['memberships']}")
    for event in MEMBERSHIP_TRIGGERS:
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_memberships_{event}()")
    for table, (watched, added) in COLUMNS.items():
        if comment_on(schema[table]) != OWNER_MARK:
            continue
        _capture_updates(schema, table, watched)
        for column in added:
            op.execute(f"ALTER TABLE {schema[table]} DROP COLUMN {column}")


def _hidden(schema: SchemaName, names: dict[str, str]) -> dict[str, str]:
    """Return the parts of feed_visible_posts by which users hide posts from their feeds."""
    unhidden, muted = migration("0004_user_controls").UNHIDDEN, migration("0005_muted_words").MUTED
    return {"unhidden": unhidden.format(**names), "muted": muted.format(schema=schema, **names)}


def _names(schema: SchemaName) -> dict[str, str]:
    tables = ("users", "memberships", "feed_change")
    views = ("feed_users", "feed_posts", "feed_follows", "feed_memberships", "feed_controls")
    return {name: schema[name] for name in (*tables, *views, *SETTINGS_VIEWS.values())}


def _create_settings_view(schema: SchemaName, table: str) -> None:
    """Create the view of the new columns of our table; an empty one if the table is a team's."""
    added = COLUMNS[table][1]
    if comment_on(schema[table]) == OWNER_MARK:
        body = f"SELECT id, {', '.join(added)} FROM {schema[table]}"
    else:
        nulls = ", ".join(f"NULL::{kind.split()[0]} AS {name}" for name, kind in added.items())
        body = f"SELECT NULL::uuid AS id, {nulls} WHERE false"
    op.execute(f"CREATE VIEW {schema[SETTINGS_VIEWS[table]]} AS {body}")


def _capture_updates(schema: SchemaName, table: str, columns: tuple[str, ...]) -> None:
    """Write an update of one of these columns into the outbox."""
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in "on")
    values = {"schema": schema, "table": table, "entity": table.removesuffix("s"), "old": old, "new": new}
    op.execute(UPDATE_FUNCTION.format(feed_change=schema["feed_change"], **values))


def _create_memberships(schema: SchemaName, names: dict[str, str]) -> None:
    if comment_on(names["memberships"]) is not None:  # a team's: it redefines the view
        op.execute(NO_MEMBERSHIPS.format(**names))
        return
    users_are_ours = comment_on(names["users"]) == OWNER_MARK
    references = f"REFERENCES {names['users']} (id) ON DELETE CASCADE" if users_are_ours else ""
    op.execute(MEMBERSHIPS.format(references_users=references, mark=OWNER_MARK, **names))
    for event, (rows, time, tables) in MEMBERSHIP_TRIGGERS.items():
        values = {"event": event, "rows": rows.format(**names), "time": time, "tables": tables}
        op.execute(MEMBERSHIP_TRIGGER.format(schema=schema, **values, **names))
