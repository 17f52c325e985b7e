"""What several migrations do: find the schema, its relations and their owner, and constants of other migrations."""

from importlib import import_module
from types import ModuleType

from alembic import op
from sqlalchemy import text

from app.infrastructure.database.migrate import MigrationRejected
from app.infrastructure.database.schema import SchemaName


def feed_schema() -> SchemaName:
    """Return the schema that is migrated."""
    return SchemaName(op.get_context().opts["feed_schema"])


def comment_on(relation: str) -> str | None:
    """Return the comment on a table or view, "" if it has none, or None if there is no such relation."""
    query = text(
        "SELECT coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c WHERE c.oid = to_regclass(:name)"
    )
    comment: str | None = op.get_bind().execute(query, {"name": relation}).scalar_one_or_none()
    return comment


def reject_existing(*relations: str) -> None:
    """Raise MigrationRejected if one of the relations that a migration creates exists."""
    for relation in relations:
        if comment_on(relation) is not None:
            raise MigrationRejected(
                f"{relation} exists and belongs to another application; give the service a schema of its own "
                "(DB_SCHEMA) and point the views feed_users, feed_posts and feed_follows at your tables"
            )


def migration(name: str) -> ModuleType:
    """Return the module of another migration."""
    return import_module(f"app.infrastructure.database.migrations.versions.{name}")
