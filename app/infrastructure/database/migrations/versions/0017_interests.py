"""Add the interests that users declare: tags and authors. They are part of their user, as memberships are.

A change of them is a change of the user in the outbox. A reset and an erasure remove them.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import (
    comment_on,
    feed_schema,
    migration,
    reject_existing,
)
from app.infrastructure.database.schema import OWNER_MARK

revision = "0017"
down_revision = "0016"

TABLE = """
CREATE TABLE {user_interest} (
    user_id uuid NOT NULL {references_users},
    tag text CHECK (tag <> ''),
    author_id uuid {references_users},
    CHECK (num_nonnulls(tag, author_id) = 1)
);
CREATE UNIQUE INDEX idx_user_interest_tag ON {user_interest} (user_id, tag) WHERE tag IS NOT NULL;
CREATE UNIQUE INDEX idx_user_interest_user_author ON {user_interest} (user_id, author_id) WHERE author_id IS NOT NULL;
CREATE INDEX idx_user_interest_author ON {user_interest} (author_id) WHERE author_id IS NOT NULL;
COMMENT ON TABLE {user_interest} IS '{mark}'
"""
TRIGGER = """
CREATE FUNCTION {schema}.feed_user_interest_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO {feed_change} (entity, op, key) SELECT DISTINCT 'user', 'upsert', user_id FROM {rows};
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_user_interest_{event} {time} {event} ON {user_interest} {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_user_interest_{event}()
"""
INTERESTS = {"user_interest": "user_id = $1 OR author_id = $1"}
RESET_INTERESTS = {"user_interest": "user_id = $1"}
NAMES = ("feed_change", "user_interest", "users", "feed_posts")


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in NAMES}
    reject_existing(names["user_interest"])
    users_are_ours = comment_on(names["users"]) == OWNER_MARK
    references = f"REFERENCES {names['users']} (id) ON DELETE CASCADE" if users_are_ours else ""
    op.execute(TABLE.format(references_users=references, mark=OWNER_MARK, **names))
    for event, (rows, time, tables) in migration("0006_visibility").MEMBERSHIP_TRIGGERS.items():
        values = {"event": event, "time": time, "tables": tables}
        op.execute(
            TRIGGER.format(
                schema=schema, rows=rows.format(memberships=names["user_interest"]), **values, **names
            )
        )
    earlier = migration("0013_user_data")
    replace_functions(INTERESTS | earlier.ERASED, RESET_INTERESTS | earlier.RESET)


def downgrade() -> None:
    schema = feed_schema()
    earlier = migration("0013_user_data")
    replace_functions(earlier.ERASED, earlier.RESET)
    op.execute(f"DROP TABLE {schema['user_interest']}")
    for event in migration("0006_visibility").MEMBERSHIP_TRIGGERS:
        op.execute(f"DROP FUNCTION {schema}.feed_user_interest_{event}()")


def replace_functions(erased: dict[str, str], reset: dict[str, str]) -> None:
    """Make feed_erase_user and feed_reset_user remove these rows: table -> condition."""
    schema, earlier = feed_schema(), migration("0013_user_data")
    names = {name: schema[name] for name in earlier.NAMES}
    function = earlier.FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for name, conditions in (("feed_erase_user", erased), ("feed_reset_user", reset)):
        rows = ", ".join(
            f"('{table}', '{condition.format(**names)}')" for table, condition in conditions.items()
        )
        op.execute(function.format(schema=schema, function=name, rows=rows, mark=OWNER_MARK))
