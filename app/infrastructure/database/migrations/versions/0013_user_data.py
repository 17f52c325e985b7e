"""Add functions that reset and erase a user, the tombstones of erased users, and the capture of removed impressions.

The service's role may call the functions and has no right to delete from all of the tables itself. An outbox row of
entity `impression` names a user whose pages were removed, so that every process forgets them. Pages that are too old
are dropped with their partition, which fires no trigger: they stay in the counts.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, migration, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0013"
down_revision = "0012"

OUTBOX = """
ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_entity_check;
ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_entity_check CHECK (entity IN ({entities}))
"""
ENTITIES = "'user', 'post', 'follow', 'event', 'control'"

# Counts are changed in order of their key, so that concurrent statements lock them in the same order.
IMPRESSION_TRIGGER = """
CREATE FUNCTION {schema}.feed_impression_delete() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key)
    SELECT DISTINCT 'impression', 'delete', user_id FROM old_rows;
    WITH gone AS (
        SELECT post, count(*) AS shown, count(*) FILTER (
            WHERE length(old_rows.seen) >= place AND get_bit(old_rows.seen, place::integer - 1) = 1
        ) AS seen
        FROM old_rows CROSS JOIN unnest(old_rows.posts) WITH ORDINALITY AS places (post, place) GROUP BY post
    ), locked AS MATERIALIZED (
        SELECT post FROM {impression_count} WHERE post IN (SELECT post FROM gone) ORDER BY post FOR UPDATE
    )
    UPDATE {impression_count} counted
    SET shown = greatest(counted.shown - gone.shown, 0), seen = greatest(counted.seen - gone.seen, 0)
    FROM gone JOIN locked USING (post) WHERE counted.post = gone.post;
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_impression_delete AFTER DELETE ON {impression} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_impression_delete()
"""

# `hash` is that of a user's UUID, with a key that the database does not have; `key_id` identifies the key. `receipt`
# has no id in it.
TOMBSTONES = """
CREATE TABLE {erased_user} (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    key_id bytea NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    receipt jsonb NOT NULL
);
CREATE INDEX idx_erased_user_time ON {erased_user} (erased_at);
COMMENT ON TABLE {erased_user} IS '{mark}'
"""

# table -> rows of the user $1, in the order of their removal
ERASED = {
    "user_interaction": "user_id = $1 OR post_id = ANY (ARRAY(SELECT id FROM {feed_posts} WHERE author_id = $1))",
    "user_recommendation": "user_id = $1 OR post_id = ANY (ARRAY(SELECT id FROM {feed_posts} WHERE author_id = $1))",
    "user_feedback": "user_id = $1 OR author_id = $1 "
    "OR post_id = ANY (ARRAY(SELECT id FROM {feed_posts} WHERE author_id = $1))",
    "memberships": "user_id = $1",
    "follows": "follower_id = $1 OR followee_id = $1",
    "impression": "user_id = $1",
    "impression_count": "post = ANY (ARRAY("
    "SELECT seq::integer FROM {feed_posts} WHERE author_id = $1 AND seq <= 2147483647))",
    "posts": "author_id = $1",
    "users": "id = $1",
    "feed_user_key": "id = $1",
}
RESET = {
    "user_interaction": "user_id = $1",
    "user_recommendation": "user_id = $1",
    "user_feedback": "user_id = $1",
    "follows": "follower_id = $1",
    "impression": "user_id = $1",
}
# Tables of a team are left alone: they lack the mark.
FUNCTION = """
CREATE FUNCTION {schema}.{function}(given uuid) RETURNS TABLE (store text, removed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    condition text;
BEGIN
    FOR store, condition IN VALUES {rows} LOOP
        IF obj_description(to_regclass(format('{schema}.%I', store)), 'pg_class') = '{mark}' THEN
            EXECUTE format('DELETE FROM {schema}.%I WHERE %s', store, condition) USING given;
            GET DIAGNOSTICS removed = ROW_COUNT;
            RETURN NEXT;
        END IF;
    END LOOP;
END $body$;
REVOKE ALL ON FUNCTION {schema}.{function}(uuid) FROM PUBLIC
"""

# As before, except that an hour after an erasure all changes up to it are removed, because they have the user's id.
PURGE = """
CREATE OR REPLACE FUNCTION {schema}.feed_change_sweep(older_than interval, portion integer) RETURNS integer
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
        WHERE (created_at < now() - older_than OR created_at <= (
            SELECT max(erased_at) FROM {erased_user} WHERE erased_at < now() - interval '1 hour'
        )) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY seq LIMIT portion FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM {feed_change} WHERE seq IN (SELECT seq FROM old) RETURNING xid
    )
    SELECT count(*), (array_agg(xid ORDER BY xid DESC))[1] INTO removed, highest FROM gone;
    UPDATE {feed_change_swept} SET xid = highest WHERE xid < highest;
    RETURN removed;
END $body$
"""
NAMES = ("feed_change", "feed_change_swept", "impression", "impression_count", "feed_posts", "erased_user")


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in NAMES}
    reject_existing(names["erased_user"])
    op.execute(OUTBOX.format(entities=f"{ENTITIES}, 'impression'", **names))
    op.execute(IMPRESSION_TRIGGER.format(schema=schema, **names))
    op.execute(TOMBSTONES.format(mark=OWNER_MARK, **names))
    for function, conditions in (("feed_erase_user", ERASED), ("feed_reset_user", RESET)):
        rows = ", ".join(
            f"('{table}', '{condition.format(**names)}')" for table, condition in conditions.items()
        )
        op.execute(FUNCTION.format(schema=schema, function=function, rows=rows, mark=OWNER_MARK))
    op.execute(PURGE.format(schema=schema, **names))


def downgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in NAMES}
    before = migration("0002_swept_outbox").SWEEP.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    op.execute(
        before.format(schema=schema, swept=names["feed_change_swept"], feed_change=names["feed_change"])
    )
    op.execute(f"DROP FUNCTION {schema}.feed_reset_user(uuid), {schema}.feed_erase_user(uuid)")
    op.execute(f"DROP TABLE {names['erased_user']}")
    op.execute(f"DROP FUNCTION {schema}.feed_impression_delete() CASCADE")
    op.execute(f"DELETE FROM {names['feed_change']} WHERE entity = 'impression'")
    op.execute(OUTBOX.format(entities=ENTITIES, **names))
