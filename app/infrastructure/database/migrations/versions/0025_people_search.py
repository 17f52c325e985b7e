"""Add indexes by which the web application finds people by the first letters of the words of their names and ids.

The words are those of `feed_words`. Users of another application have no such index; docs/adopting.md has the statement
for their table.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import comment_on, feed_schema
from app.infrastructure.database.schema import OWNER_MARK

revision = "0025"
down_revision = "0024"

# A word of more than 2 KB cannot be indexed. `left` keeps such a name out of the way of its index.
WORDS = (
    "USING gin (array_to_tsvector(array_remove(string_to_array("
    "{{schema}}.feed_words(left({column}, 200)), ' '), '')))"
)
INDEXES = {
    "idx_users_name_words": WORDS.format(column="username"),
    "idx_users_id_words": WORDS.format(column="external_id"),
}


def upgrade() -> None:
    schema = feed_schema()
    if comment_on(schema["users"]) != OWNER_MARK:
        return
    for index, columns in INDEXES.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {schema['users']} {columns.format(schema=schema)}")


def downgrade() -> None:
    schema = feed_schema()
    for index in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {schema[index]}")
