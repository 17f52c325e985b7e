"""Add a function that purges the outbox, and a table with the last purged transaction.

A reader whose position is before that transaction knows that it may have missed changes. The function has the rights
of the schema's owner, so the service's role can only remove changes that are older than an hour.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema
from app.infrastructure.database.schema import OWNER_MARK

revision = "0002"
down_revision = "0001"

# `xid`: no row of a later transaction was purged
SWEPT = """
CREATE TABLE {swept} (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid xid8 NOT NULL DEFAULT '0'
);
INSERT INTO {swept} DEFAULT VALUES;
COMMENT ON TABLE {swept} IS '{mark}'
"""

# Only rows below the oldest running transaction are removed: every position taken from now on includes them.
SWEEP = """
CREATE FUNCTION {schema}.feed_change_sweep(older_than interval, portion integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    removed integer;
    highest xid8;
BEGIN
    IF older_than IS NULL OR older_than < interval '1 hour' THEN
        RAISE EXCEPTION 'the outbox is kept for an hour at least';
    END IF;
    WITH old AS (
        SELECT seq FROM {feed_change}
        WHERE created_at < now() - older_than AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY seq LIMIT portion FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM {feed_change} WHERE seq IN (SELECT seq FROM old) RETURNING xid
    )
    SELECT count(*), (array_agg(xid ORDER BY xid DESC))[1] INTO removed, highest FROM gone;
    UPDATE {swept} SET xid = highest WHERE xid < highest;
    RETURN removed;
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_change_sweep(interval, integer) FROM PUBLIC
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {"swept": schema["feed_change_swept"], "feed_change": schema["feed_change"], "mark": OWNER_MARK}
    op.execute(SWEPT.format(**names))
    op.execute(SWEEP.format(schema=schema, **names))


def downgrade() -> None:
    schema = feed_schema()
    op.execute(f"DROP FUNCTION {schema}.feed_change_sweep(interval, integer)")
    op.execute(f"DROP TABLE {schema['feed_change_swept']}")
    # made by deploy/sql/adopt_triggers.sql; without an outbox they would make the team's own writes fail
    for entity in ("user", "post", "follow"):
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_adopted_{entity}() CASCADE")
