"""Capture removed events in the outbox, so that every process takes them back.

One outbox row names a user, a post and the numbers of the removed events between them. A TRUNCATE names no pair: it
writes one row with keys of zeros.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema

revision = "0003"
down_revision = "0002"

ALTER_OUTBOX = """
ALTER TABLE {feed_change} ADD COLUMN event_seqs bigint[];
ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_entity_check;
ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_check;
ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_entity_check
    CHECK (entity IN ('user', 'post', 'follow', 'event'));
ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_check
    CHECK ((other IS NOT NULL) = (entity IN ('follow', 'event')))
"""

FUNCTION = """
CREATE FUNCTION {schema}.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key, other, event_seqs) {select};
    RETURN NULL;
END $body$
"""
SELECT_DELETED = (
    "SELECT 'event', 'delete', user_id, post_id, array_agg(seq) FROM old_rows GROUP BY user_id, post_id"
)
SELECT_TRUNCATED = f"SELECT 'event', 'delete', '{0:032x}'::uuid, '{0:032x}'::uuid, NULL::bigint[]"

TRIGGERS = """
CREATE TRIGGER feed_user_interaction_delete AFTER DELETE ON {user_interaction}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION {schema}.feed_user_interaction_delete();
CREATE TRIGGER feed_user_interaction_truncate AFTER TRUNCATE ON {user_interaction}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_user_interaction_truncate()
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {
        "schema": schema,
        "feed_change": schema["feed_change"],
        "user_interaction": schema["user_interaction"],
    }
    op.execute(ALTER_OUTBOX.format(**names))
    for operation, select in (("delete", SELECT_DELETED), ("truncate", SELECT_TRUNCATED)):
        op.execute(FUNCTION.format(name=f"feed_user_interaction_{operation}", select=select, **names))
    op.execute(TRIGGERS.format(**names))


def downgrade() -> None:
    schema = feed_schema()
    feed_change = schema["feed_change"]
    for operation in ("delete", "truncate"):
        op.execute(f"DROP FUNCTION {schema}.feed_user_interaction_{operation}() CASCADE")
    op.execute(f"DELETE FROM {feed_change} WHERE entity = 'event'")
    op.execute(f"ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_entity_check")
    op.execute(f"ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_check")
    op.execute(
        f"ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_entity_check "
        "CHECK (entity IN ('user', 'post', 'follow')), "
        "ADD CONSTRAINT feed_change_check CHECK ((other IS NOT NULL) = (entity = 'follow'))"
    )
    op.execute(f"ALTER TABLE {feed_change} DROP COLUMN event_seqs")
