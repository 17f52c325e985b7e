"""Add the sessions of the web application that ended before they expire. The service does not read them.

`user_hash` is that of the id of a user who has deleted their data, with a secret that the database does not have.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0026"
down_revision = "0025"

TABLE = """
CREATE TABLE {ended_session} (
    user_hash bytea PRIMARY KEY CHECK (length(user_hash) = 32),
    ended_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_ended_session_time ON {ended_session} (ended_at);
COMMENT ON TABLE {ended_session} IS '{mark}'
"""


def upgrade() -> None:
    ended_session = feed_schema()["ended_session"]
    reject_existing(ended_session)
    op.execute(TABLE.format(ended_session=ended_session, mark=OWNER_MARK))


def downgrade() -> None:
    op.execute(f"DROP TABLE {feed_schema()['ended_session']}")
