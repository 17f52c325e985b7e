"""Add the pages that were shown to users, partitioned by day, and how often each post was shown.

Partitions have no foreign key to `users`: with one, creating or dropping a partition would lock that table. A trigger
removes the rows of deleted users instead.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0008"
down_revision = "0007"

# For each place of the page, `posts` holds the number of the post, `sources` the first letter of its reason, and `seen`
# a 1 if the post was on screen (NULL before the client reports any). A text or bit string is smaller than an array of
# letters. The last three columns are for experiments. `xid` is the transaction that wrote the row last: readers find
# new rows by it.
TABLES = """
CREATE TABLE {impression} (
    user_id uuid NOT NULL,
    time timestamptz NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    request_id text NOT NULL,
    mode text NOT NULL,
    model_version text,
    posts integer[] NOT NULL,
    sources text NOT NULL,
    seen varbit,
    variants jsonb,
    probability real[],
    team smallint[]
) PARTITION BY RANGE (time);
CREATE INDEX idx_impression_user ON {impression} (user_id, time);
CREATE INDEX idx_impression_xid ON {impression} (xid);
COMMENT ON TABLE {impression} IS '{mark}';
CREATE TABLE {impression_count} (
    post integer PRIMARY KEY,
    shown bigint NOT NULL DEFAULT 0,
    seen bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
COMMENT ON TABLE {impression_count} IS '{mark}'
"""

# The functions have the rights of the schema's owner, because the service's role creates and drops no tables. A lock
# that is not free within a second is given up, so that no request waits behind it.
PARTITION = """
CREATE FUNCTION {schema}.feed_impression_partition(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $body$
DECLARE
    partition text := format('{schema}.%I', 'impression_' || to_char(day, 'YYYYMMDD'));
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('feed impression partitions {schema}', 0));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %s PARTITION OF {impression} FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1
    );
    EXECUTE format('COMMENT ON TABLE %s IS %L', partition, '{mark}');
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_impression_partition(date) FROM PUBLIC
"""
PURGE = """
CREATE FUNCTION {schema}.feed_impression_purge(days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $body$
DECLARE
    partition text;
    dropped integer := 0;
BEGIN
    IF days IS NULL OR days < 1 THEN
        RAISE EXCEPTION 'impressions are kept for a day at least';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('feed impression partitions {schema}', 0));
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '{impression}'::regclass
        AND c.relname < 'impression_' || to_char(current_date - days, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE {schema}.%I', partition);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_impression_purge(integer) FROM PUBLIC
"""

USERS_TRIGGERS = """
CREATE FUNCTION {schema}.feed_impression_users_delete() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    DELETE FROM {impression} WHERE user_id IN (SELECT id FROM old_rows);
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_impression_users_delete AFTER DELETE ON {users} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_impression_users_delete();
CREATE FUNCTION {schema}.feed_impression_users_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    TRUNCATE {impression};
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_impression_users_truncate AFTER TRUNCATE ON {users}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_impression_users_truncate()
"""

# A client may use one request id for several pages: the place is then in one of them.
VIEW = """
CREATE VIEW {interaction_impression} AS
SELECT e.id AS interaction_id, e.user_id, e.post_id, e.interaction_type, e.occurred_at, e.request_id,
    i.time AS shown_at, i.mode, i.model_version, i.variants, array_position(i.posts, p.seq::integer) AS place
FROM {user_interaction} e
JOIN {feed_posts} p ON p.id = e.post_id
JOIN {impression} i ON i.user_id = e.user_id AND i.request_id = e.request_id AND p.seq::integer = ANY (i.posts)
"""
NAMES = (
    "impression",
    "impression_count",
    "interaction_impression",
    "user_interaction",
    "feed_posts",
    "users",
)


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in NAMES}
    reject_existing(*(names[name] for name in ("impression", "impression_count", "interaction_impression")))
    op.execute(TABLES.format(mark=OWNER_MARK, **names))
    for statements in (PARTITION, PURGE, VIEW):
        op.execute(statements.format(schema=schema, mark=OWNER_MARK, **names))
    if comment_on(names["users"]) == OWNER_MARK:
        op.execute(USERS_TRIGGERS.format(schema=schema, **names))


def downgrade() -> None:
    schema = feed_schema()
    op.execute(f"DROP VIEW {schema['interaction_impression']}")
    for event in ("delete", "truncate"):
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_impression_users_{event}() CASCADE")
    op.execute(
        f"DROP FUNCTION {schema}.feed_impression_partition(date), {schema}.feed_impression_purge(integer)"
    )
    op.execute(f"DROP TABLE {schema['impression']}, {schema['impression_count']}")
