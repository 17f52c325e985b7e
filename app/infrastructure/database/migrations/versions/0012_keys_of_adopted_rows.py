"""Add ids for rows of adopted tables whose keys are integers or texts, and a place for dropped views.

`python -m data.adopt` writes views that join these tables, and redefines `feed_unkeyed`. `number` holds a key that is a
whole number, so that a look-up by an integer column uses an index.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0012"
down_revision = "0011"

KEYS = """
CREATE TABLE {table} (
    external_id text PRIMARY KEY CHECK (external_id <> ''),
    id uuid NOT NULL UNIQUE,
    number bigint UNIQUE GENERATED ALWAYS AS (
        CASE WHEN external_id ~ '^(0|-?[1-9][0-9]{{0,18}})$' THEN
            CASE WHEN external_id::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
            THEN external_id::bigint END
        END
    ) STORED
);
COMMENT ON TABLE {table} IS '{mark}'
"""
# kind `author`: the user who wrote a post, at the time of the post
UNKEYED = """
CREATE VIEW {view} AS
SELECT NULL::text AS kind, NULL::text AS external_id, NULL::timestamptz AS created_at WHERE false
"""
DROPPED = """
CREATE TABLE {table} (
    place integer PRIMARY KEY,
    name text NOT NULL,
    statement text NOT NULL
);
COMMENT ON TABLE {table} IS '{mark}'
"""
EMPTY_VIEWS = """
DO $empty$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT r.ev_class::regclass AS view, (
            SELECT string_agg(format('NULL::%s AS %I', format_type(atttypid, atttypmod), attname), ', ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = r.ev_class AND attnum > 0
        ) AS nulls
        FROM pg_rewrite r WHERE EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid IN ({tables})
        )
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %s AS SELECT %s WHERE false', found.view, found.nulls);
    END LOOP;
END $empty$
"""
NAMES = ("feed_user_key", "feed_post_key", "feed_dropped_view", "feed_unkeyed")


def upgrade() -> None:
    schema = feed_schema()
    reject_existing(*(schema[name] for name in NAMES))
    for name in ("feed_user_key", "feed_post_key"):
        op.execute(KEYS.format(table=schema[name], mark=OWNER_MARK))
    op.execute(UNKEYED.format(view=schema["feed_unkeyed"]))
    op.execute(DROPPED.format(table=schema["feed_dropped_view"], mark=OWNER_MARK))


def downgrade() -> None:
    """Views that join the keys become empty: the older version cannot fill the keys."""
    schema = feed_schema()
    tables = ", ".join(f"'{schema[name]}'::regclass" for name in ("feed_user_key", "feed_post_key"))
    op.execute(f"DROP VIEW {schema['feed_unkeyed']}")
    op.execute(EMPTY_VIEWS.format(tables=tables))
    for name in ("feed_dropped_view", "feed_post_key", "feed_user_key"):
        op.execute(f"DROP TABLE {schema[name]}")
