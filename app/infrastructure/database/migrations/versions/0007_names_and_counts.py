"""Add views with the names of users and with imported counts, which applications show and the ranking does not read."""

from alembic import op
from sqlalchemy import text

from app.infrastructure.database.migrate import MigrationRejected
from app.infrastructure.database.migrations.adopted_tables import view_of_columns
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

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
    schema = SchemaName(op.get_context().opts["feed_schema"])
    bind = op.get_bind()
    for view, (table, columns) in VIEWS.items():
        query = text(
            "SELECT to_regclass(:view) IS NOT NULL, obj_description(to_regclass(:table), 'pg_class')"
        )
        exists, comment = bind.execute(query, {"view": schema[view], "table": schema[table]}).one()
        if exists:
            raise MigrationRejected(
                f"{schema[view]} exists and belongs to another application; give the service a schema of its own "
                "(DB_SCHEMA) and point the views feed_users, feed_posts and feed_follows at your tables"
            )
        adopted = comment != OWNER_MARK
        op.execute(view_of_columns(bind, schema, view, table, columns, adopted=adopted))


def downgrade() -> None:
    schema = SchemaName(op.get_context().opts["feed_schema"])
    for view in VIEWS:
        op.execute(f"DROP VIEW {schema[view]}")
