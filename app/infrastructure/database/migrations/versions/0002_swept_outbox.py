"""The outbox is swept, and how far is on record, so that a reader who stands behind it knows that he missed something.

The service sweeps through a function with the rights of the schema's owner: its own role can remove nothing from the
outbox, and nothing that is younger than an hour.
"""

from alembic import op

from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# `xid`: no row of a later transaction was removed
SWEPT = """
CREATE TABLE {swept} (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid xid8 NOT NULL DEFAULT '0'
);
INSERT INTO {swept} DEFAULT VALUES;
COMMENT ON TABLE {swept} IS '{mark}'
"""

# what is below the oldest running transaction is seen by every position that is taken from now on
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
    schema = SchemaName(op.get_context().opts["feed_schema"])
    names = {"swept": schema["feed_change_swept"], "feed_change": schema["feed_change"], "mark": OWNER_MARK}
    op.execute(SWEPT.format(**names))
    op.execute(SWEEP.format(schema=schema, **names))


def downgrade() -> None:
    schema = SchemaName(op.get_context().opts["feed_schema"])
    op.execute(f"DROP FUNCTION {schema}.feed_change_sweep(interval, integer)")
    op.execute(f"DROP TABLE {schema['feed_change_swept']}")
    # deploy/sql/adopt_triggers.sql: without an outbox they would stop the team's own writes
    for entity in ("user", "post", "follow"):
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_adopted_{entity}() CASCADE")
