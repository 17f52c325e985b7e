"""Count what a user did between the first page of an experiment and the moment at which this page was stored.

Pages are stored within a second of being shown. What users did in this second found no page, so it was not counted.
"""

from app.infrastructure.database.migrations.operations import feed_schema, migration

revision = "0027"
down_revision = "0026"

OF_PAGES = """
    SELECT p.user_id, v.key AS experiment, v.value AS variant, (p.time AT TIME ZONE 'UTC')::date AS day, m.metric,
        sum(m.count) AS count, min(p.time) AS since
    FROM new_rows p CROSS JOIN LATERAL (
        SELECT key, value, p.degraded FROM jsonb_each_text(p.variants)
        UNION ALL SELECT key, value, true FROM jsonb_each_text(p.failed_variants)
    ) AS v CROSS JOIN LATERAL (VALUES
        ('page', 1), ('post', cardinality(p.posts)), ('degraded_page', v.degraded::integer),
        ('slow_page', p.slow::integer)
    ) AS m (metric, count)
    WHERE m.count > 0 GROUP BY 1, 2, 3, 4, 5
"""
# A row that the statement made has the count of these pages alone. Of two first pages that are stored at the same time,
# one waits for the row of the other, so what the user did is added once. What is stored after the page is counted by
# the triggers on events and controls. `created_at` has an index; clocks differ by less than an hour.
COUNT = """
    WITH of_pages AS ({of_pages}), counted AS (
        INSERT INTO {experiment_user_day} AS stored (user_id, experiment, variant, day, metric, count)
        SELECT user_id, experiment, variant, day, metric, count FROM of_pages ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (user_id, experiment, variant, day, metric) DO UPDATE SET count = stored.count + excluded.count
        RETURNING *
    ), begun AS (
        SELECT p.user_id, p.experiment, p.variant, min(p.since) AS since
        FROM of_pages p JOIN counted c USING (user_id, experiment, variant, day, metric, count)
        WHERE p.metric = 'page' AND NOT EXISTS (
            SELECT FROM {experiment_user_day} e
            WHERE (e.user_id, e.experiment, e.variant, e.metric) = (p.user_id, p.experiment, p.variant, 'page')
        )
        GROUP BY 1, 2, 3
    )
    INSERT INTO {experiment_user_day} AS stored (user_id, experiment, variant, day, metric, count)
    SELECT b.user_id, b.experiment, b.variant, (a.time AT TIME ZONE 'UTC')::date, a.metric, count(*)
    FROM begun b CROSS JOIN LATERAL (
        SELECT interaction_type, occurred_at FROM {user_interaction} i
        WHERE i.user_id = b.user_id AND i.created_at >= b.since - interval '1 hour' AND i.occurred_at >= b.since
        UNION ALL
        SELECT action, created_at FROM {user_feedback} f
        WHERE f.user_id = b.user_id AND f.created_at >= b.since AND NOT f.undo
    ) AS a (metric, time)
    WHERE (a.time AT TIME ZONE 'UTC')::date < (b.since AT TIME ZONE 'UTC')::date + 90
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (user_id, experiment, variant, day, metric) DO UPDATE SET count = stored.count + excluded.count;
"""


def upgrade() -> None:
    schema, stops = feed_schema(), migration("0024_experiment_stops")
    names = {name: schema[name] for name in ("experiment_user_day", "user_interaction", "user_feedback")}
    stops.replace_trigger(stops.HAS_VARIANTS, COUNT.format(of_pages=OF_PAGES, **names))


def downgrade() -> None:
    stops = migration("0024_experiment_stops")
    stops.count_pages(stops.HAS_VARIANTS, stops.OF_PAGES)
