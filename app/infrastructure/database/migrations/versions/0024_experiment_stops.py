"""Add the stops and the read-outs of experiments, and count pages that were degraded or slow.

A page on which a variant failed counts for the variant as a degraded one, although the served ranking ranked it.
"""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, migration, reject_existing
from app.infrastructure.database.schema import OWNER_MARK

revision = "0024"
down_revision = "0023"

TABLES = """
CREATE TABLE {experiment_stop} (
    experiment text NOT NULL,
    salt text NOT NULL,
    variant text NOT NULL,
    metric text NOT NULL,
    reason text NOT NULL,
    stopped_at timestamptz NOT NULL,
    PRIMARY KEY (experiment, salt, variant)
);
COMMENT ON TABLE {experiment_stop} IS '{mark}';
CREATE TABLE {experiment_report} (
    experiment text PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    read_at timestamptz,
    report jsonb
);
COMMENT ON TABLE {experiment_report} IS '{mark}'
"""
COLUMNS = {
    "degraded": "boolean NOT NULL DEFAULT false",
    "slow": "boolean NOT NULL DEFAULT false",
    "failed_variants": "jsonb",
}

HAS_VARIANTS = "EXISTS (SELECT FROM new_rows WHERE variants IS NOT NULL OR failed_variants IS NOT NULL)"
OF_PAGES = """
    SELECT p.user_id, v.key, v.value, (p.time AT TIME ZONE 'UTC')::date, m.metric, sum(m.count)
    FROM new_rows p CROSS JOIN LATERAL (
        SELECT key, value, p.degraded FROM jsonb_each_text(p.variants)
        UNION ALL SELECT key, value, true FROM jsonb_each_text(p.failed_variants)
    ) AS v CROSS JOIN LATERAL (VALUES
        ('page', 1), ('post', cardinality(p.posts)), ('degraded_page', v.degraded::integer),
        ('slow_page', p.slow::integer)
    ) AS m (metric, count)
    WHERE m.count > 0 GROUP BY 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    schema = feed_schema()
    names = {name: schema[name] for name in ("experiment_stop", "experiment_report")}
    reject_existing(*names.values())
    op.execute(TABLES.format(mark=OWNER_MARK, **names))
    added = ", ".join(f"ADD COLUMN {name} {type_}" for name, type_ in COLUMNS.items())
    op.execute(f"ALTER TABLE {schema['impression']} {added}")
    count_pages(HAS_VARIANTS, OF_PAGES)


def downgrade() -> None:
    schema, earlier = feed_schema(), migration("0021_experiment_counts")
    count_pages(earlier.HAS_VARIANTS, earlier.OF_PAGES)
    removed = ", ".join(f"DROP COLUMN {name}" for name in COLUMNS)
    op.execute(f"ALTER TABLE {schema['impression']} {removed}")
    op.execute(f"DROP TABLE {schema['experiment_stop']}, {schema['experiment_report']}")


def count_pages(guard: str, rows: str) -> None:
    """Make the trigger on pages count these rows."""
    add = migration("0021_experiment_counts").ADD
    replace_trigger(guard, add.format(rows=rows, experiment_user_day=feed_schema()["experiment_user_day"]))


def replace_trigger(guard: str, add: str) -> None:
    """Make the trigger on pages run the statement `add`."""
    schema, earlier = feed_schema(), migration("0021_experiment_counts")
    function = earlier.TRIGGER.partition("CREATE TRIGGER")[0].replace(
        "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
    )
    op.execute(function.format(schema=schema, table="impression", guard=guard, add=add))
