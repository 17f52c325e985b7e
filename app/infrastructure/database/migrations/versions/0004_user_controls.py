"""Add the log of user controls, the view of those in force, and the posts that a user may see.

One outbox row names a user whose controls changed. An update or a removal by SQL leaves no row with a later number, so
its outbox row holds a number drawn from the log's sequence. The later of two states of a user has the larger number.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0004"
down_revision = "0003"

# Append-only: a user takes a control back with a further row whose `undo` is true. Posts and authors have no foreign
# key, so a report outlives its post.
TABLE = """
CREATE TABLE {user_feedback} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL {references_users},
    action text NOT NULL CHECK (action IN (
        'hide_post', 'not_interested', 'mute_author', 'block_author', 'mute_tag', 'mute_word', 'report_post'
    )),
    post_id uuid,
    author_id uuid,
    tag text CHECK (tag <> ''),
    word text CHECK (word <> ''),
    undo boolean NOT NULL DEFAULT false,
    until timestamptz CHECK (until BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    event_id uuid UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now() CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'),
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK ((post_id IS NOT NULL) = (action IN ('hide_post', 'not_interested', 'report_post'))),
    CHECK ((author_id IS NOT NULL) = (action IN ('mute_author', 'block_author'))),
    CHECK ((tag IS NOT NULL) = (action = 'mute_tag')),
    CHECK ((word IS NOT NULL) = (action = 'mute_word'))
);
CREATE INDEX idx_user_feedback_user ON {user_feedback} (user_id, seq);
CREATE INDEX idx_user_feedback_blocked ON {user_feedback} (author_id) WHERE action = 'block_author';
COMMENT ON TABLE {user_feedback} IS '{mark}'
"""

VIEW = """
CREATE VIEW {feed_controls} AS
SELECT user_id, action, author_id AS target_user_id, post_id AS target_post_id, tag, word, created_at, until, seq
FROM (
    SELECT DISTINCT ON (user_id, action, author_id, post_id, tag, word) * FROM {user_feedback}
    ORDER BY user_id, action, author_id, post_id, tag, word, seq DESC
) AS latest
WHERE NOT undo
"""

OUTBOX = """
ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_entity_check;
ALTER TABLE {feed_change} DROP CONSTRAINT feed_change_check;
ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_entity_check
    CHECK (entity IN ({entities}));
ALTER TABLE {feed_change} ADD CONSTRAINT feed_change_check
    CHECK ((other IS NOT NULL) = (entity IN ('follow', 'event')))
"""
ENTITIES = "'user', 'post', 'follow', 'event'"

FUNCTION = """
CREATE FUNCTION {schema}.feed_user_feedback_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key, event_seqs)
    SELECT 'control', 'upsert', user_id, {number} FROM (SELECT DISTINCT user_id FROM {rows}) AS changed;
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_user_feedback_{event} {time} {event} ON {user_feedback} {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_user_feedback_{event}()
"""
INSERTED = "NULL::bigint[]"  # the rows have numbers of their own
DRAWN = "ARRAY[nextval(pg_get_serial_sequence('{user_feedback}', 'seq'))]"
# event -> number of the change, rows with the changed users, time, transition tables
TRIGGERS = {
    "insert": (INSERTED, "new_rows", "AFTER", "REFERENCING NEW TABLE AS new_rows"),
    "update": (
        DRAWN,
        "(SELECT user_id FROM old_rows UNION SELECT user_id FROM new_rows) AS both_rows",
        "AFTER",
        "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    ),
    "delete": (DRAWN, "old_rows", "AFTER", "REFERENCING OLD TABLE AS old_rows"),
    "truncate": (DRAWN, "{user_feedback}", "BEFORE", ""),
}

# of a post `p` by `viewer`
UNHIDDEN = """
    AND NOT EXISTS (
        SELECT FROM {feed_controls} c WHERE c.user_id = viewer AND c.target_post_id = p.id
        AND c.action IN ('hide_post', 'not_interested', 'report_post') AND (c.until IS NULL OR c.until > now())
    )
    AND NOT EXISTS (
        SELECT FROM {feed_controls} c WHERE c.user_id = viewer AND c.target_user_id = p.author_id
        AND c.action IN ('mute_author', 'block_author') AND (c.until IS NULL OR c.until > now())
    )
    AND NOT EXISTS (
        SELECT FROM {feed_controls} c WHERE c.user_id = p.author_id AND c.target_user_id = viewer
        AND c.action = 'block_author' AND (c.until IS NULL OR c.until > now())
    )
"""
# The caller's rights apply. No SET clause: with one, PostgreSQL could not plan the query together with the caller's.
VISIBLE_POSTS = """
CREATE FUNCTION {schema}.feed_visible_posts(viewer uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $body$
    SELECT p.id FROM {feed_posts} p
    WHERE coalesce(p.visible, true) AND p.created_at <= now()
    {unhidden}
$body$;
REVOKE ALL ON FUNCTION {schema}.feed_visible_posts(uuid) FROM PUBLIC
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {
        name: schema[name]
        for name in ("user_feedback", "feed_controls", "feed_change", "feed_posts", "users")
    }
    reject_existing(names["user_feedback"], names["feed_controls"])
    users_are_ours = comment_on(names["users"]) == OWNER_MARK
    references = f"REFERENCES {names['users']} (id) ON DELETE CASCADE" if users_are_ours else ""
    op.execute(TABLE.format(references_users=references, mark=OWNER_MARK, **names))
    op.execute(VIEW.format(**names))
    op.execute(OUTBOX.format(entities=f"{ENTITIES}, 'control'", **names))
    for event, (number, rows, time, tables) in TRIGGERS.items():
        number, rows = number.format(**names), rows.format(**names)
        values = {"event": event, "number": number, "rows": rows, "time": time, "tables": tables}
        op.execute(FUNCTION.format(schema=schema, **values, **names))
    op.execute(VISIBLE_POSTS.format(schema=schema, unhidden=UNHIDDEN.format(**names), **names))


def downgrade() -> None:
    schema = feed_schema()
    op.execute(f"DROP FUNCTION {schema}.feed_visible_posts(uuid)")
    op.execute(f"DROP VIEW {schema['feed_controls']}")
    op.execute(f"DROP TABLE {schema['user_feedback']}")
    for event in TRIGGERS:
        op.execute(f"DROP FUNCTION {schema}.feed_user_feedback_{event}()")
    op.execute(f"DELETE FROM {schema['feed_change']} WHERE entity = 'control'")
    op.execute(OUTBOX.format(feed_change=schema["feed_change"], entities=ENTITIES))
