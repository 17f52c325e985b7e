"""Let the view interaction_impression read what the row of a page has of each place for experiments.

`team` is the ranking that drafted a place of an interleaved page: 0 that of the control, 1 that of the variant, -1
neither. `probability` is that of a place that was drawn at random, given the places above it.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema

revision = "0023"
down_revision = "0022"

VIEW = """
CREATE OR REPLACE VIEW {interaction_impression} AS
SELECT e.id AS interaction_id, e.user_id, e.post_id, e.interaction_type, e.occurred_at, e.request_id,
    i.time AS shown_at, i.mode, i.model_version, i.variants, shown.place, i.team[shown.place] AS team,
    i.probability[shown.place] AS probability
FROM {user_interaction} e
JOIN {feed_posts} p ON p.id = e.post_id
JOIN {impression} i ON i.user_id = e.user_id AND i.request_id = e.request_id AND p.seq = ANY (i.posts)
CROSS JOIN LATERAL (VALUES (array_position(i.posts::bigint[], p.seq))) AS shown (place)
"""


def upgrade() -> None:
    op.execute(VIEW.format_map(feed_schema()))


def downgrade() -> None:
    """The older version reads the same view."""
