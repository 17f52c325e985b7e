"""Add an index by which the end of a list in mode `following` finds the posts of each author in order of time.

Building it blocks writes to our table of posts, 3 s for a million posts. On a larger table, create it before the
migration with CREATE INDEX CONCURRENTLY under the same name.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema
from app.infrastructure.database.schema import OWNER_MARK

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    posts = feed_schema()["posts"]
    if comment_on(posts) == OWNER_MARK:
        op.execute(
            f"CREATE INDEX IF NOT EXISTS idx_posts_author_created ON {posts} (author_id, created_at, seq)"
        )


def downgrade() -> None:
    op.execute(f"DROP INDEX IF EXISTS {feed_schema()['idx_posts_author_created']}")
