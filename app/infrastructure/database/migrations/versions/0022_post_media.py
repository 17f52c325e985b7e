"""Add the pictures of posts, which the web application shows. The service does not read them.

A picture is a file of the web application's own origin. Pictures are deleted with their post; those of posts of another
application stay, and no page shows them.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0022"
down_revision = "0021"

TABLE = """
CREATE TABLE {post_media} (
    post_id uuid NOT NULL {references_posts},
    position smallint NOT NULL CHECK (position >= 0),
    url text NOT NULL CHECK (url ~ '^/[^/\\\\]'),
    width integer NOT NULL CHECK (width > 0),
    height integer NOT NULL CHECK (height > 0),
    alt text NOT NULL,
    PRIMARY KEY (post_id, position)
);
COMMENT ON TABLE {post_media} IS '{mark}'
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in ("posts", "post_media")}
    reject_existing(names["post_media"])
    posts_are_ours = comment_on(names["posts"]) == OWNER_MARK
    references = f"REFERENCES {names['posts']} (id) ON DELETE CASCADE" if posts_are_ours else ""
    op.execute(TABLE.format(references_posts=references, mark=OWNER_MARK, **names))


def downgrade() -> None:
    op.execute(f"DROP TABLE {feed_schema()['post_media']}")
