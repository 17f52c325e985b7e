"""Add the function that moves everything of one user to another and removes the first.

The service's role may call it and has no right to change these tables itself. Triggers write the changes into the
outbox; impressions have none for an update, so the function writes theirs.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema
from app.infrastructure.database.schema import OWNER_MARK

revision = "0018"
down_revision = "0017"

# (table, statement) in order; $1 is the user who goes, $2 the one who stays. What both have is kept once: of a post
# that both like, the first like.
STATEMENTS = (
    (
        "user_interaction",
        """DELETE FROM {user_interaction} later USING {user_interaction} earlier
        WHERE later.interaction_type = 'like' AND earlier.interaction_type = 'like' AND later.post_id = earlier.post_id
        AND later.seq > earlier.seq AND (later.user_id, earlier.user_id) IN (($1, $2), ($2, $1))""",
    ),
    ("user_interaction", "UPDATE {user_interaction} SET user_id = $2 WHERE user_id = $1"),
    ("user_recommendation", "DELETE FROM {user_recommendation} WHERE user_id = $1"),
    (
        "follows",
        """INSERT INTO {follows} (follower_id, followee_id, created_at)
        SELECT CASE follower_id WHEN $1 THEN $2 ELSE follower_id END,
            CASE followee_id WHEN $1 THEN $2 ELSE followee_id END, min(created_at)
        FROM {follows} WHERE $1 IN (follower_id, followee_id) AND $2 NOT IN (follower_id, followee_id)
        GROUP BY 1, 2 ON CONFLICT DO NOTHING""",
    ),
    ("follows", "DELETE FROM {follows} WHERE $1 IN (follower_id, followee_id)"),
    (
        "user_feedback",
        "DELETE FROM {user_feedback} WHERE (user_id, author_id) IN (($1, $2), ($2, $1))",
    ),
    ("user_feedback", "UPDATE {user_feedback} SET user_id = $2 WHERE user_id = $1"),
    ("user_feedback", "UPDATE {user_feedback} SET author_id = $2 WHERE author_id = $1"),
    (
        "memberships",
        """INSERT INTO {memberships} (user_id, audience_id)
        SELECT $2, audience_id FROM {memberships} WHERE user_id = $1 ON CONFLICT DO NOTHING""",
    ),
    ("memberships", "DELETE FROM {memberships} WHERE user_id = $1"),
    (
        "user_interest",
        """INSERT INTO {user_interest} (user_id, tag, author_id)
        SELECT DISTINCT CASE user_id WHEN $1 THEN $2 ELSE user_id END, tag,
            CASE author_id WHEN $1 THEN $2 ELSE author_id END
        FROM {user_interest}
        WHERE $1 IN (user_id, author_id) AND ((user_id, author_id) IN (($1, $2), ($2, $1))) IS NOT TRUE
        ON CONFLICT DO NOTHING""",
    ),
    ("user_interest", "DELETE FROM {user_interest} WHERE $1 IN (user_id, author_id)"),
    (
        "impression",
        """WITH noted AS (
            INSERT INTO {feed_change} (entity, op, key) SELECT 'impression', 'delete', unnest(ARRAY[$1, $2])
            WHERE EXISTS (SELECT FROM {impression} WHERE user_id = $1)
        )
        UPDATE {impression} SET user_id = $2 WHERE user_id = $1""",
    ),
    ("posts", "UPDATE {posts} SET author_id = $2 WHERE author_id = $1"),
    ("users", "DELETE FROM {users} WHERE id = $1"),
    ("feed_user_key", "DELETE FROM {feed_user_key} WHERE id = $1"),
)

# The lock waits for events of both users that are not committed, and makes later ones of the first user fail. Tables of
# a team are left alone: they lack the mark.
FUNCTION = """
CREATE FUNCTION {schema}.feed_merge_user(gone uuid, kept uuid) RETURNS TABLE (store text, changed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    statement text;
BEGIN
    PERFORM FROM {users} WHERE id IN (gone, kept) ORDER BY id FOR UPDATE;
    FOR store, statement IN VALUES {rows} LOOP
        IF obj_description(to_regclass(format('{schema}.%I', store)), 'pg_class') = '{mark}' THEN
            EXECUTE statement USING gone, kept;
            GET DIAGNOSTICS changed = ROW_COUNT;
            RETURN NEXT;
        END IF;
    END LOOP;
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_merge_user(uuid, uuid) FROM PUBLIC
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in ("feed_change", *(table for table, _ in STATEMENTS))}
    rows = ", ".join(f"('{table}', $sql${statement.format(**names)}$sql$)" for table, statement in STATEMENTS)
    op.execute(FUNCTION.format(schema=schema, rows=rows, mark=OWNER_MARK, users=names["users"]))


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {feed_schema()}.feed_merge_user(uuid, uuid)")
