"""Add indexes by which the web application finds the posts with a tag and those that match a search.

The words of a post are those of muted words: `feed_words` makes one of each character of a language without spaces.
Building them takes about a minute for a million posts, and a new post 0.1 ms longer. Posts of another
application have no such index; docs/adopting.md has the statements for their table.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema
from app.infrastructure.database.schema import OWNER_MARK

revision = "0020"
down_revision = "0019"

# PostgreSQL cannot search texts of more than a megabyte. `left` keeps such a post out of the way of its index.
INDEXES = {
    "idx_posts_tags": "USING gin (tags)",
    "idx_posts_search": "USING gin (to_tsvector('simple', {schema}.feed_words(left(content, 20000))))",
}


def upgrade() -> None:
    schema = feed_schema()
    if comment_on(schema["posts"]) != OWNER_MARK:
        return
    for index, columns in INDEXES.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {schema['posts']} {columns.format(schema=schema)}")


def downgrade() -> None:
    schema = feed_schema()
    for index in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {schema[index]}")
