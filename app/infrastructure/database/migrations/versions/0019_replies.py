"""Make replies of old comments, add quotes, and remove the event of a post with the post.

A reply is a post with `reply_to`, and a repost or a quote names its original. Each of them has an event on the other
post, of type `comment` or `share`, whose `event_id` is the id of the post. When the post is deleted, a trigger removes
this event in the same transaction.

A comment with a text in its metadata becomes a reply with the id of the comment. Comments keep their rows and their
text, so the previous version shows them as before. A comment on a post for followers stays a comment: no visibility
means "those who may see that post". The replies are written first, because adding the column locks the posts.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0019"
down_revision = "0018"

# A text of spaces alone is no reply. The comment of an author who has no row in `users` stays a comment.
REPLIES_OF_COMMENTS = """
INSERT INTO {posts} (id, external_id, author_id, content, created_at, visibility, audience_id, sensitive, reply_to,
    root_id)
SELECT k.id, k.id::text, i.user_id, i.metadata->>'text', i.occurred_at, p.visibility, p.audience_id, p.sensitive, p.id,
    coalesce(p.root_id, p.id)
FROM {user_interaction} i
JOIN {posts} p ON p.id = i.post_id
CROSS JOIN LATERAL (SELECT coalesce(i.event_id, i.id) AS id) AS k
WHERE i.interaction_type = 'comment' AND btrim(i.metadata->>'text') <> '' AND p.visible
AND (p.visibility <> 'followers' OR p.author_id = i.user_id)
AND EXISTS (SELECT FROM {feed_users} u WHERE u.id = i.user_id)
ORDER BY i.seq
ON CONFLICT DO NOTHING
"""

COLUMN = """
ALTER TABLE {posts} ADD COLUMN quote_of uuid;
CREATE INDEX IF NOT EXISTS idx_posts_reply ON {posts} (reply_to, created_at) WHERE reply_to IS NOT NULL;
CREATE VIEW {feed_post_quotes} AS SELECT id, quote_of FROM {posts} WHERE quote_of IS NOT NULL
"""
NO_QUOTES = "CREATE VIEW {feed_post_quotes} AS SELECT NULL::uuid AS id, NULL::uuid AS quote_of WHERE false"

# The event is the author's own: another user could send an event with the id of a post.
TRIGGER = """
CREATE FUNCTION {schema}.feed_posts_delete_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    DELETE FROM {user_interaction} i USING old_rows o
    WHERE (i.event_id = o.id OR i.id = o.id) AND i.user_id = o.author_id AND i.interaction_type IN ('comment', 'share');
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_posts_delete_events AFTER DELETE ON {posts} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_posts_delete_events()
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in ("posts", "user_interaction", "feed_users", "feed_post_quotes")}
    reject_existing(names["feed_post_quotes"])
    if comment_on(names["posts"]) != OWNER_MARK:
        op.execute(NO_QUOTES.format(**names))
        return
    if comment_on(schema["users"]) == OWNER_MARK:
        op.execute(REPLIES_OF_COMMENTS.format(**names))
    op.execute(TRIGGER.format(schema=schema, **names))
    op.execute(COLUMN.format(**names))


def downgrade() -> None:
    schema = feed_schema()
    posts = schema["posts"]
    op.execute(f"DROP VIEW {schema['feed_post_quotes']}")
    op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_posts_delete_events() CASCADE")
    op.execute(f"DROP INDEX IF EXISTS {schema['idx_posts_reply']}")
    if comment_on(posts) == OWNER_MARK:
        op.execute(f"ALTER TABLE {posts} DROP COLUMN quote_of")
