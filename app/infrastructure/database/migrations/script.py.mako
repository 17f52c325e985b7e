"""${message}."""

from alembic import op

from app.infrastructure.database.schema import SchemaName

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = SchemaName(op.get_context().opts["feed_schema"])


def downgrade() -> None:
    schema = SchemaName(op.get_context().opts["feed_schema"])
