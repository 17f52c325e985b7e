"""Add the embedding of a post: a vector of the team's own model, by which posts are ranked.

The view `feed_post_settings` gets the column, so that `feed_posts` may lack it. The function `feed_post_embeddings`
returns the posts that have one. `feed_complete_posts` stays as it is, because the previous version reads it.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema, migration
from app.infrastructure.database.schema import OWNER_MARK, SchemaName

revision = "0029"
down_revision = "0028"

# `missing` and `present` are as in 0006_visibility.
FUNCTION = """
CREATE FUNCTION {schema}.feed_post_embeddings() RETURNS TABLE (id uuid, embedding real[]) LANGUAGE sql STABLE AS $body$
    SELECT v.id::uuid, s.embedding
    FROM {feed_posts} v LEFT JOIN {feed_post_settings} missing ON missing.id = v.id CROSS JOIN LATERAL (
        SELECT embedding::real[] AS embedding FROM (SELECT v.*) AS present
    ) AS s
    WHERE s.embedding IS NOT NULL
$body$;
REVOKE ALL ON FUNCTION {schema}.feed_post_embeddings() FROM PUBLIC
"""


def upgrade() -> None:
    schema = feed_schema()
    watched, settings = migration("0006_visibility").COLUMNS["posts"]
    columns = settings | {"embedding": "real[]"}
    if comment_on(schema["posts"]) == OWNER_MARK:
        op.execute(f"ALTER TABLE {schema['posts']} ADD COLUMN embedding real[]")
        _capture_updates(schema, (*watched, *columns))
    op.execute(f"CREATE OR REPLACE VIEW {schema['feed_post_settings']} AS {_settings(schema, columns)}")
    names = {name: schema[name] for name in ("feed_posts", "feed_post_settings")}
    op.execute(FUNCTION.format(schema=schema, **names))


def downgrade() -> None:
    schema = feed_schema()
    watched, columns = migration("0006_visibility").COLUMNS["posts"]
    op.execute(f"DROP FUNCTION {schema}.feed_post_embeddings()")
    op.execute(f"DROP VIEW {schema['feed_post_settings']}")
    op.execute(f"CREATE VIEW {schema['feed_post_settings']} AS {_settings(schema, columns)}")
    if comment_on(schema["posts"]) == OWNER_MARK:
        _capture_updates(schema, (*watched, *columns))
        op.execute(f"ALTER TABLE {schema['posts']} DROP COLUMN embedding")


def _settings(schema: SchemaName, columns: dict[str, str]) -> str:
    """The query of feed_post_settings: these columns of our table, or no row if the table is a team's."""
    if comment_on(schema["posts"]) == OWNER_MARK:
        return f"SELECT id, {', '.join(columns)} FROM {schema['posts']}"
    nulls = ", ".join(f"NULL::{kind.split()[0]} AS {name}" for name, kind in columns.items())
    return f"SELECT NULL::uuid AS id, {nulls} WHERE false"


def _capture_updates(schema: SchemaName, columns: tuple[str, ...]) -> None:
    """Write an update of one of these columns into the outbox."""
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in "on")
    values = {"schema": schema, "table": "posts", "entity": "post", "old": old, "new": new}
    statement = migration("0006_visibility").UPDATE_FUNCTION
    op.execute(statement.format(feed_change=schema["feed_change"], **values))
