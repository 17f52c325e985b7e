"""Count, by user and day of an experiment, what the user was shown and did.

Triggers write the counts in the transaction that stores the page, the event or the control. Events and controls count
from the user's first page of an experiment on, for 90 days. Without an experiment, the table is empty and the triggers
end at once.
"""

from collections.abc import Iterable, Sequence

from alembic import op

from app.infrastructure.database.migrations.operations import (
    comment_on,
    feed_schema,
    migration,
    reject_existing,
)
from app.infrastructure.database.schema import OWNER_MARK

revision = "0021"
down_revision = "0020"

# `metric` is `page`, `post` (posts on the pages), a type of event, or an action of a control that was not taken back at
# once. The days are those of the pages, events and controls, in UTC.
TABLE = """
CREATE TABLE {experiment_user_day} (
    user_id uuid NOT NULL,
    experiment text NOT NULL,
    variant text NOT NULL,
    day date NOT NULL,
    metric text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (user_id, experiment, variant, day, metric)
);
CREATE INDEX idx_experiment_user_day_first ON {experiment_user_day} (experiment, day) WHERE metric = 'page';
CREATE INDEX idx_experiment_user_day_day ON {experiment_user_day} (day);
COMMENT ON TABLE {experiment_user_day} IS '{mark}'
"""

# Counts are changed in order of their key, so that concurrent statements lock them in the same order.
ADD = """
    INSERT INTO {experiment_user_day} AS counted (user_id, experiment, variant, day, metric, count)
    {rows} ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (user_id, experiment, variant, day, metric) DO UPDATE SET count = counted.count + excluded.count;
"""
OF_PAGES = """
    SELECT p.user_id, v.key, v.value, (p.time AT TIME ZONE 'UTC')::date, m.metric, sum(m.count)
    FROM new_rows p CROSS JOIN LATERAL jsonb_each_text(p.variants) AS v
    CROSS JOIN LATERAL (VALUES ('page', 1), ('post', cardinality(p.posts))) AS m (metric, count)
    WHERE p.variants IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""
OF_ACTIONS = """
    SELECT n.user_id, e.experiment, e.variant, n.day, n.metric, count(*)
    FROM (SELECT user_id, {metric} AS metric, ({time} AT TIME ZONE 'UTC')::date AS day FROM new_rows {condition}) AS n
    JOIN (
        SELECT user_id, experiment, variant, min(day) AS first FROM {experiment_user_day}
        WHERE metric = 'page' AND user_id IN (SELECT user_id FROM new_rows) GROUP BY 1, 2, 3
    ) AS e ON e.user_id = n.user_id AND n.day >= e.first AND n.day < e.first + 90
    GROUP BY 1, 2, 3, 4, 5
"""
TRIGGER = """
CREATE FUNCTION {schema}.feed_experiment_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF {guard} THEN
    {add}
    END IF;
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_experiment_{table} AFTER INSERT ON {name} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_experiment_{table}()
"""
IS_USED = "EXISTS (SELECT FROM {experiment_user_day})"
HAS_VARIANTS = "EXISTS (SELECT FROM new_rows WHERE variants IS NOT NULL)"

PURGE = """
CREATE FUNCTION {schema}.feed_experiment_purge(days integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $body$
DECLARE
    removed bigint;
BEGIN
    IF days IS NULL OR days < 180 THEN
        RAISE EXCEPTION 'counts of experiments are kept for 180 days at least';
    END IF;
    DELETE FROM {experiment_user_day} WHERE day < current_date - days;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $body$;
REVOKE ALL ON FUNCTION {schema}.feed_experiment_purge(integer) FROM PUBLIC
"""

USERS_TRIGGERS = """
CREATE FUNCTION {schema}.feed_experiment_users_delete() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    DELETE FROM {experiment_user_day} WHERE user_id IN (SELECT id FROM old_rows);
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_experiment_users_delete AFTER DELETE ON {users} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_experiment_users_delete();
CREATE FUNCTION {schema}.feed_experiment_users_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    TRUNCATE {experiment_user_day};
    RETURN NULL;
END $body$;
CREATE TRIGGER feed_experiment_users_truncate AFTER TRUNCATE ON {users}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.feed_experiment_users_truncate()
"""

OWN_ROWS = {"experiment_user_day": "user_id = $1"}
MERGED = (
    (
        "experiment_user_day",
        """INSERT INTO {experiment_user_day} AS counted (user_id, experiment, variant, day, metric, count)
        SELECT $2, experiment, variant, day, metric, count FROM {experiment_user_day} WHERE user_id = $1
        ON CONFLICT (user_id, experiment, variant, day, metric) DO UPDATE SET count = counted.count + excluded.count""",
    ),
    ("experiment_user_day", "DELETE FROM {experiment_user_day} WHERE user_id = $1"),
)
NAMES = ("experiment_user_day", "impression", "user_interaction", "user_feedback", "users")


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in NAMES}
    reject_existing(names["experiment_user_day"])
    op.execute(TABLE.format(mark=OWNER_MARK, **names))
    of_events = OF_ACTIONS.format(metric="interaction_type", time="occurred_at", condition="", **names)
    of_controls = OF_ACTIONS.format(metric="action", time="created_at", condition="WHERE NOT undo", **names)
    is_used = IS_USED.format(**names)
    for table, guard, rows in (
        ("impression", HAS_VARIANTS, OF_PAGES),
        ("user_interaction", is_used, of_events),
        ("user_feedback", is_used, of_controls),
    ):
        add = ADD.format(rows=rows, **names)
        op.execute(TRIGGER.format(schema=schema, table=table, name=names[table], guard=guard, add=add))
    op.execute(PURGE.format(schema=schema, **names))
    if comment_on(names["users"]) == OWNER_MARK:
        op.execute(USERS_TRIGGERS.format(schema=schema, **names))
    interests, user_data = migration("0017_interests"), migration("0013_user_data")
    erased, reset = interests.INTERESTS | user_data.ERASED, interests.RESET_INTERESTS | user_data.RESET
    interests.replace_functions(
        dict(_after("impression_count", erased.items(), OWN_ROWS.items())),
        dict(_after("impression", reset.items(), OWN_ROWS.items())),
    )
    _replace_merge(_after("impression", migration("0018_merged_users").STATEMENTS, MERGED))


def downgrade() -> None:
    schema = feed_schema()
    _replace_merge(migration("0018_merged_users").STATEMENTS)
    interests, user_data = migration("0017_interests"), migration("0013_user_data")
    interests.replace_functions(
        interests.INTERESTS | user_data.ERASED, interests.RESET_INTERESTS | user_data.RESET
    )
    for table in ("impression", "user_interaction", "user_feedback", "users_delete", "users_truncate"):
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.feed_experiment_{table}() CASCADE")
    op.execute(f"DROP FUNCTION {schema}.feed_experiment_purge(integer)")
    op.execute(f"DROP TABLE {schema['experiment_user_day']}")


def _after(
    table: str, rows: Iterable[tuple[str, str]], own: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """`rows`, with `own` after that of a table: storing a page locks that table first, too."""
    given = list(rows)
    place = [name for name, _ in given].index(table) + 1
    return [*given[:place], *own, *given[place:]]


def _replace_merge(statements: Sequence[tuple[str, str]]) -> None:
    """Make feed_merge_user run these statements: see 0018."""
    schema, earlier = feed_schema(), migration("0018_merged_users")
    names = {name: schema[name] for name in ("feed_change", *(table for table, _ in statements))}
    rows = ", ".join(f"('{table}', $sql${statement.format(**names)}$sql$)" for table, statement in statements)
    function = earlier.FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    op.execute(function.format(schema=schema, rows=rows, mark=OWNER_MARK, users=names["users"]))
