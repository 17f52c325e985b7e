"""Capture updated events in the outbox: a changed type, time, user or post of an event reaches every process.

The outbox row is that of a removal (see 0003): it names the user, the post and the numbers of the events. Its reader
reads the events that are left between them, and these include the updated ones.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema

revision = "0011"
down_revision = "0010"

COLUMNS = "user_id, post_id, interaction_type, occurred_at, created_at, seq"

STATEMENTS = """
CREATE FUNCTION {schema}.feed_user_interaction_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key, other, event_seqs)
    SELECT 'event', 'delete', user_id, post_id, array_agg(DISTINCT seq) FROM (
        (SELECT {columns} FROM old_rows EXCEPT SELECT {columns} FROM new_rows)
        UNION ALL (SELECT {columns} FROM new_rows EXCEPT SELECT {columns} FROM old_rows)
    ) AS changed GROUP BY user_id, post_id;
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_user_interaction_update AFTER UPDATE ON {user_interaction}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION {schema}.feed_user_interaction_update()
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in ("feed_change", "user_interaction")}
    op.execute(STATEMENTS.format(schema=schema, columns=COLUMNS, **names))


def downgrade() -> None:
    schema = feed_schema()
    op.execute(f"DROP FUNCTION {schema}.feed_user_interaction_update() CASCADE")
