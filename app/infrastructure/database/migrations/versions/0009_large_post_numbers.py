"""Let the view interaction_impression read events of posts with numbers above 2,147,483,647, which no page holds."""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema

revision = "0009"
down_revision = "0008"

# A client may use one request id for several pages: the place is then in one of them.
VIEW = """
CREATE OR REPLACE VIEW {interaction_impression} AS
SELECT e.id AS interaction_id, e.user_id, e.post_id, e.interaction_type, e.occurred_at, e.request_id,
    i.time AS shown_at, i.mode, i.model_version, i.variants, array_position(i.posts::bigint[], p.seq) AS place
FROM {user_interaction} e
JOIN {feed_posts} p ON p.id = e.post_id
JOIN {impression} i ON i.user_id = e.user_id AND i.request_id = e.request_id AND p.seq = ANY (i.posts)
"""


def upgrade() -> None:
    schema = feed_schema()
    op.execute(VIEW.format_map(schema))


def downgrade() -> None:
    """The older version reads the same view."""
