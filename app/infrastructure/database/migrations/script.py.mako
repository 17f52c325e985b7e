"""${message}."""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    schema = feed_schema()


def downgrade() -> None:
    schema = feed_schema()
