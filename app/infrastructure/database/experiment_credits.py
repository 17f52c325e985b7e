"""Reads what the users of an interleaving experiment did from the database."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from app.domain.experiments.experiment import INTERLEAVED, Experiment
from app.domain.experiments.team_draft import CONTROL_TEAM, VARIANT_TEAM
from app.domain.experiments.user_credits import UserCredits
from app.infrastructure.database.sql_repository import SqlRepository

# The window of a user begins with the day of their first page. An event counts once, also if its request has two pages
# with the post.
_USERS = f"""
WITH first AS (
    SELECT user_id, min(day) AS day FROM {{experiment_user_day}}
    WHERE experiment = %(experiment)s AND variant = '{INTERLEAVED}' AND metric = 'page' GROUP BY user_id
), credited AS (
    SELECT DISTINCT ON (i.interaction_id) i.user_id, i.team
    FROM {{interaction_impression}} i JOIN first f ON f.user_id = i.user_id
    WHERE i.interaction_type = %(metric)s AND i.variants->>%(experiment)s = '{INTERLEAVED}'
        AND i.occurred_at < (f.day + %(days)s)::timestamp AT TIME ZONE 'UTC'
    ORDER BY i.interaction_id, i.shown_at DESC
), credit AS (
    SELECT user_id, count(*) FILTER (WHERE team = {CONTROL_TEAM}) AS control,
        count(*) FILTER (WHERE team = {VARIANT_TEAM}) AS variant
    FROM credited GROUP BY user_id
), shown AS (
    SELECT f.user_id, sum(d.count) AS pages
    FROM first f JOIN {{experiment_user_day}} d ON d.user_id = f.user_id
    WHERE d.experiment = %(experiment)s AND d.variant = '{INTERLEAVED}' AND d.metric = 'page'
        AND d.day < f.day + %(days)s
    GROUP BY f.user_id
)
SELECT f.day, s.pages::bigint, coalesce(c.control, 0), coalesce(c.variant, 0)
FROM first f JOIN shown s ON s.user_id = f.user_id LEFT JOIN credit c ON c.user_id = f.user_id
WHERE f.day >= %(since)s
ORDER BY f.day, f.user_id
"""


DEFAULT_PAGE_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class SqlExperimentCredits(SqlRepository):
    """The events that are joined with the places of interleaved pages.

    page_days  days for which pages are stored
    """

    page_days: int = DEFAULT_PAGE_DAYS

    def read(self, experiment: Experiment, now: datetime) -> UserCredits:
        """As in ExperimentCredits."""
        parameters = {
            "experiment": experiment.name,
            "metric": experiment.primary_metric,
            "days": experiment.window_days,
            "since": self.oldest_day(now),
        }
        with self.transaction(snapshot=True) as connection:
            rows = connection.exec_driver_sql(_USERS.format_map(self.schema), parameters).all()
        numbers = np.array([row[1:] for row in rows], np.float64).reshape(-1, 3)
        return UserCredits(
            first=np.array([row[0] for row in rows], "datetime64[D]"),
            pages=numbers[:, 0],
            control=numbers[:, 1],
            variant=numbers[:, 2],
        )

    def oldest_day(self, now: datetime) -> date:
        """The users whose first page is older are in no figure."""
        return now.astimezone(UTC).date() - timedelta(days=self.page_days)
