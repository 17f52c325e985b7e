"""Count likes, comments and shares by triggers, so that reading the counts of a post does not read its events.

`feed_engagement` has a row for each user and post with such events, so a user counts once as one who liked or shared a
post. `feed_engagement_count` has one row for each post, and a further one whenever the others are locked: a transaction
never waits for another one with the same post, and cannot deadlock with it. `feed_post_engagement` shows the sums.
If another transaction has locked the row of a user and post, the events go to `feed_engagement_late` instead, and the
next statement that finds the row unlocked counts them.

Events of before the triggers are counted after the migrations, in portions (`migrations/engagement_backfill.py`). Until
an event is counted, the triggers ignore its removal.
"""

from alembic import op

from app.infrastructure.database.migrations.engagement_backfill import add_engagement
from app.infrastructure.database.migrations.operations import feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0016"
down_revision = "0015"

TABLES = """
CREATE TABLE {feed_engagement} (
    post_id uuid NOT NULL,
    user_id uuid NOT NULL,
    likes integer NOT NULL,
    comments integer NOT NULL,
    shares integer NOT NULL,
    PRIMARY KEY (post_id, user_id)
);
COMMENT ON TABLE {feed_engagement} IS '{mark}';

CREATE TABLE {feed_engagement_count} (
    post_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    likes bigint NOT NULL,
    comments bigint NOT NULL,
    shares bigint NOT NULL,
    PRIMARY KEY (post_id, id)
);
COMMENT ON TABLE {feed_engagement_count} IS '{mark}';

CREATE VIEW {feed_post_engagement} AS
SELECT post_id, sum(likes)::bigint AS likes, sum(comments)::bigint AS comments, sum(shares)::bigint AS shares
FROM {feed_engagement_count} GROUP BY post_id;
COMMENT ON VIEW {feed_post_engagement} IS '{mark}';

CREATE TABLE {feed_engagement_backfill} (
    counted_seq bigint NOT NULL,
    last_seq bigint NOT NULL
);
COMMENT ON TABLE {feed_engagement_backfill} IS '{mark}';

CREATE TABLE {feed_engagement_late} (
    post_id uuid NOT NULL,
    user_id uuid NOT NULL,
    interaction_type text NOT NULL,
    n integer NOT NULL
);
COMMENT ON TABLE {feed_engagement_late} IS '{mark}'
"""

# A row is counted if it is later than the triggers, or if the backfill has counted it.
ROWS = """
SELECT post_id, user_id, interaction_type, {sign} AS n FROM {rows}, {feed_engagement_backfill} b
WHERE interaction_type IN ('like', 'comment', 'share') AND (seq <= b.counted_seq OR seq > b.last_seq)"""

REMOVE_EMPTY = """
DELETE FROM {feed_engagement} e USING old_rows o
WHERE e.post_id = o.post_id AND e.user_id = o.user_id AND e.likes = 0 AND e.comments = 0 AND e.shares = 0;
DELETE FROM {feed_engagement_count} c USING (
    SELECT post_id, id FROM {feed_engagement_count}
    WHERE post_id IN (SELECT post_id FROM old_rows) AND likes = 0 AND comments = 0 AND shares = 0
        AND current_setting('transaction_isolation') = 'read committed'
    FOR UPDATE SKIP LOCKED
) AS empty WHERE c.post_id = empty.post_id AND c.id = empty.id;
"""
CLEAR = """
DELETE FROM {feed_engagement};
DELETE FROM {feed_engagement_count};
DELETE FROM {feed_engagement_late};
UPDATE {feed_engagement_backfill} SET counted_seq = last_seq;
"""

IS_LOCKED = "lock_not_available OR deadlock_detected OR serialization_failure"
COUNT = """
    PERFORM {schema}.feed_engagement_count_late();
    BEGIN
{add}
    EXCEPTION WHEN {is_locked} THEN
        INSERT INTO {feed_engagement_late} SELECT post_id, user_id, interaction_type, n FROM ({rows}) AS events;
    END;
"""
COUNT_LATE = """
CREATE FUNCTION {schema}.feed_engagement_count_late() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2ms' AS $body$
DECLARE
    late_posts uuid[];
    late_users uuid[];
    late_types text[];
    late_numbers integer[];
BEGIN
    IF NOT EXISTS (SELECT FROM {feed_engagement_late})
        OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    WITH taken AS (
        DELETE FROM {feed_engagement_late}
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM {feed_engagement_late} LIMIT 1000 FOR UPDATE SKIP LOCKED))
        RETURNING *
    )
    SELECT array_agg(post_id), array_agg(user_id), array_agg(interaction_type), array_agg(n)
    INTO late_posts, late_users, late_types, late_numbers FROM taken;
    IF late_posts IS NULL THEN
        RETURN;
    END IF;
{add}
    DELETE FROM {feed_engagement} e USING unnest(late_posts, late_users) AS late (post_id, user_id)
    WHERE e.post_id = late.post_id AND e.user_id = late.user_id AND e.likes = 0 AND e.comments = 0 AND e.shares = 0;
EXCEPTION WHEN {is_locked} THEN
    NULL;  -- they stay for a later statement
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_engagement_count_late() FROM PUBLIC
"""
LATE_ROWS = """
SELECT * FROM unnest(late_posts, late_users, late_types, late_numbers)
    AS late (post_id, user_id, interaction_type, n)"""

FUNCTION = """
CREATE FUNCTION {schema}.feed_engagement_{operation}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2ms' AS $body$
BEGIN
{body}
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_engagement_{operation} AFTER {operation} ON {user_interaction} {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_engagement_{operation}()
"""
TRANSITIONS = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}
RELATIONS = (
    "feed_engagement", "feed_engagement_count", "feed_engagement_backfill", "feed_engagement_late",
    "feed_post_engagement",
)  # fmt: skip


def upgrade() -> None:
    schema = feed_schema()
    reject_existing(*(schema[name] for name in RELATIONS))
    names = {name: schema[name] for name in (*RELATIONS, "user_interaction")}
    op.execute(TABLES.format(mark=OWNER_MARK, **names))

    def rows(sign: int, source: str) -> str:
        return ROWS.format(sign=sign, rows=source, **names)

    def counting(rows: str, then: str = "") -> str:
        return COUNT.format(
            schema=schema, add=add_engagement(schema, rows) + then, rows=rows, is_locked=IS_LOCKED, **names
        )

    remove_empty = REMOVE_EMPTY.format(**names)
    bodies = {
        "insert": counting(rows(1, "new_rows")),
        "update": counting(f"{rows(-1, 'old_rows')} UNION ALL {rows(1, 'new_rows')}", remove_empty),
        "delete": counting(rows(-1, "old_rows"), remove_empty),
        "truncate": CLEAR.format(**names),
    }
    op.execute(
        COUNT_LATE.format(schema=schema, add=add_engagement(schema, LATE_ROWS), is_locked=IS_LOCKED, **names)
    )
    for operation, body in bodies.items():
        op.execute(
            FUNCTION.format(
                schema=schema, operation=operation, body=body, rows=TRANSITIONS[operation], **names
            )
        )
    # The triggers' lock keeps writers away until the commit: later events have greater numbers.
    op.execute(
        f"INSERT INTO {names['feed_engagement_backfill']} "
        f"SELECT 0, coalesce(max(seq), 0) FROM {names['user_interaction']}"
    )


def downgrade() -> None:
    schema = feed_schema()
    for operation in TRANSITIONS:
        op.execute(f"DROP FUNCTION {schema}.feed_engagement_{operation}() CASCADE")
    op.execute(f"DROP FUNCTION {schema}.feed_engagement_count_late()")
    op.execute(f"DROP VIEW {schema['feed_post_engagement']}")
    for table in RELATIONS[:-1]:
        op.execute(f"DROP TABLE {schema[table]}")
