"""Add views with the names of users and with imported counts, which applications show and the ranking does not read."""

from alembic import op

from app.infrastructure.database.migrations.adopted_tables import view_of_columns
from app.infrastructure.database.migrations.operations import comment_on, feed_schema, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0007"
down_revision = "0006"

# view -> table and columns, as in VIEW_COLUMNS. A table of a team may lack each of them but the id.
VIEWS: dict[str, tuple[str, dict[str, tuple[str, str | None]]]] = {
    "feed_user_names": (
        "users",
        {
            "id": ("uuid", None),
            "username": ("text", "NULL::text"),
            "follower_count": ("bigint", "NULL::bigint"),
        },
    ),
    "feed_post_counts": (
        "posts",
        {
            "id": ("uuid", None),
            "like_count": ("bigint", "NULL::bigint"),
            "comment_count": ("bigint", "NULL::bigint"),
        },
    ),
}


def upgrade() -> None:
    schema = feed_schema()
    bind = op.get_bind()
    for view, (table, columns) in VIEWS.items():
        reject_existing(schema[view])
        adopted = comment_on(schema[table]) != OWNER_MARK
        op.execute(view_of_columns(bind, schema, view, table, columns, adopted=adopted))


def downgrade() -> None:
    schema = feed_schema()
    for view in VIEWS:
        op.execute(f"DROP VIEW {schema[view]}")
