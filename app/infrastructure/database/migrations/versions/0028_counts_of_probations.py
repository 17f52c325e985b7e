"""Count events for the newest probation of a user alone, and remove its counts after two weeks.

Continuous training can promote weights several times a day, and each promotion has a probation: an experiment whose
name begins with `probation-`. The counts of other experiments stay as they are.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, migration

revision = "0028"
down_revision = "0027"

# The newest probation has the longest or largest name: versions are numbers. An event counts on the last day on which
# the user was shown a page of it, or on the day after.
OF_ACTIONS = """
    SELECT n.user_id, e.experiment, e.variant, n.day, n.metric, count(*)
    FROM (SELECT user_id, {metric} AS metric, ({time} AT TIME ZONE 'UTC')::date AS day FROM new_rows {condition}) AS n
    JOIN (
        SELECT user_id, experiment, variant, min(day) AS first, 90 AS days FROM {experiment_user_day}
        WHERE metric = 'page' AND user_id IN (SELECT user_id FROM new_rows)
            AND NOT starts_with(experiment, 'probation-')
        GROUP BY 1, 2, 3
        UNION ALL SELECT * FROM (
            SELECT DISTINCT ON (user_id) user_id, experiment, variant, day, 2 FROM {experiment_user_day}
            WHERE metric = 'page' AND user_id IN (SELECT user_id FROM new_rows)
                AND starts_with(experiment, 'probation-')
            ORDER BY user_id, day DESC, length(experiment) DESC, experiment DESC
        ) AS newest
    ) AS e ON e.user_id = n.user_id AND n.day >= e.first AND n.day < e.first + e.days
    GROUP BY 1, 2, 3, 4, 5
"""
PURGE_OLD = "DELETE FROM {experiment_user_day} WHERE day < current_date - days;"
PURGE = """DELETE FROM {experiment_user_day}
    WHERE day < current_date - days OR day < current_date - 14 AND starts_with(experiment, 'probation-');"""


def upgrade() -> None:
    earlier = migration("0021_experiment_counts")
    _replace_triggers(OF_ACTIONS)
    _replace_purge(earlier.PURGE.replace(PURGE_OLD, PURGE))


def downgrade() -> None:
    earlier = migration("0021_experiment_counts")
    _replace_triggers(earlier.OF_ACTIONS)
    _replace_purge(earlier.PURGE)


def _replace_triggers(rows: str) -> None:
    """Make the triggers on events and controls count these rows."""
    schema, earlier = feed_schema(), migration("0021_experiment_counts")
    names = {name: schema[name] for name in earlier.NAMES}
    function = earlier.TRIGGER.partition("CREATE TRIGGER")[0].replace(
        "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
    )
    guard = earlier.IS_USED.format(**names)
    for table, metric, time, condition in (
        ("user_interaction", "interaction_type", "occurred_at", ""),
        ("user_feedback", "action", "created_at", "WHERE NOT undo"),
    ):
        of_table = rows.format(metric=metric, time=time, condition=condition, **names)
        add = earlier.ADD.format(rows=of_table, **names)
        op.execute(function.format(schema=schema, table=table, guard=guard, add=add))


def _replace_purge(function: str) -> None:
    schema = feed_schema()
    given = function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    op.execute(given.format(schema=schema, experiment_user_day=schema["experiment_user_day"]))
