"""Reads what the users of experiments did from the database."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from app.domain.experiments.user_counts import POSTS, UserCounts, Values
from app.infrastructure.database.sql_repository import SqlRepository

# The window of a user begins with the day of their first page. What they did before it comes from the log of events.
_USERS = """
WITH first AS (
    SELECT user_id, min(day) AS day, min(variant) AS variant, count(DISTINCT variant) AS variants
    FROM {experiment_user_day} WHERE experiment = %s AND metric = 'page' GROUP BY user_id
)
SELECT f.variant, f.variants, f.day, h.has_history, h.before, ARRAY(
    SELECT coalesce(sum(c.count), 0)::bigint FROM unnest(%s::text[]) WITH ORDINALITY AS m (metric, place)
    LEFT JOIN {experiment_user_day} c ON c.user_id = f.user_id AND c.experiment = %s AND c.metric = m.metric
        AND c.day < f.day + %s
    GROUP BY place ORDER BY place
)
FROM first f CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS has_history, count(*) FILTER (
        WHERE interaction_type = %s AND occurred_at >= (f.day - %s)::timestamp AT TIME ZONE 'UTC'
    ) AS before
    FROM {user_interaction} i WHERE i.user_id = f.user_id AND i.occurred_at < f.day::timestamp AT TIME ZONE 'UTC'
) AS h
ORDER BY f.day, f.user_id
"""
_BASELINE = """
WITH first AS (
    SELECT user_id, min(time AT TIME ZONE 'UTC')::date AS day FROM {impression}
    WHERE time >= (%s - 2 * %s)::timestamp AT TIME ZONE 'UTC' AND time < (%s - %s)::timestamp AT TIME ZONE 'UTC'
    GROUP BY user_id
)
SELECT h.has_history, h.before, h.after
FROM first f CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE i.occurred_at < f.day::timestamp AT TIME ZONE 'UTC') > 0 AS has_history,
        count(*) FILTER (WHERE interaction_type = %s AND i.occurred_at < f.day::timestamp AT TIME ZONE 'UTC'
            AND i.occurred_at >= (f.day - %s)::timestamp AT TIME ZONE 'UTC') AS before,
        count(*) FILTER (WHERE interaction_type = %s AND i.occurred_at >= f.day::timestamp AT TIME ZONE 'UTC'
            AND i.occurred_at < (f.day + %s)::timestamp AT TIME ZONE 'UTC') AS after
    FROM {user_interaction} i WHERE i.user_id = f.user_id
) AS h
ORDER BY f.day, f.user_id
"""


class SqlExperimentCounts(SqlRepository):
    """The counts of experiment_user_day, and the events before them."""

    def of_users(
        self, experiment: str, primary_metric: str, guardrails: Sequence[str], window_days: int
    ) -> UserCounts:
        """What the users of an experiment did. Those who had several variants, by a merge or another salt, are omitted.

        Raises StorageUnavailable.
        """
        metrics = list(dict.fromkeys((primary_metric, POSTS, *guardrails)))
        parameters = (experiment, metrics, experiment, window_days, primary_metric, window_days)
        rows = self._rows(_USERS, parameters)
        single = [row for row in rows if row[1] == 1]
        counts = np.array([row[5] for row in single], np.float64).reshape(-1, len(metrics))
        return UserCounts(
            variants=np.array([row[0] for row in single], np.str_),
            first=np.array([row[2] for row in single], "datetime64[D]"),
            before=np.array([row[4] if row[3] else np.nan for row in single], np.float64),
            counts={metric: counts[:, place] for place, metric in enumerate(metrics)},
            mixed=len(rows) - len(single),
        )

    def baseline(self, primary_metric: str, window_days: int, today: date) -> tuple[Values, Values]:
        """What all users who were shown pages did in the window from their first page on, and in as many days before.

        The first pages are those of the `window_days` that ended `window_days` ago. NaN: users without any earlier
        event. Raises StorageUnavailable.
        """
        of_events = (primary_metric, window_days, primary_metric, window_days)
        rows = self._rows(_BASELINE, (today, window_days, today, window_days, *of_events))
        after = np.array([row[2] for row in rows], np.float64)
        return after, np.array([row[1] if row[0] else np.nan for row in rows], np.float64)

    def _rows(self, query: str, parameters: tuple[object, ...]) -> Sequence[Any]:
        with self.transaction(snapshot=True) as connection:
            return connection.exec_driver_sql(query.format_map(self.schema), parameters).all()
