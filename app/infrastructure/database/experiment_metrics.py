"""Metrics of experiments that a team defines by SQL."""

from typing import Final

import numpy as np
from sqlalchemy.exc import DBAPIError

from app.domain.errors import StorageUnavailable
from app.domain.experiments.experiment import Experiment, OwnMetric
from app.domain.experiments.user_counts import UserCounts
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.sql_repository import SqlRepository
from app.shared.exceptions import ConfigurationError

QUERY_SECONDS: Final = 60.0
"""Time that the query of a metric may take."""

_VALUES: Final = """
WITH first AS (
    SELECT user_id, min(day) AS day, min(variant) AS variant FROM {experiment_user_day}
    WHERE experiment = %s AND metric = 'page' GROUP BY user_id HAVING count(DISTINCT variant) = 1
), own AS (
    SELECT user_id::uuid, day::date, value::double precision FROM ({sql}
    ) AS given
)
SELECT f.variant, f.day, coalesce(sum(o.value) FILTER (WHERE o.day >= f.day), 0),
    sum(o.value) FILTER (WHERE o.day < f.day)
FROM first f LEFT JOIN own o ON o.user_id = f.user_id AND o.day >= f.day - %s AND o.day < f.day + %s
GROUP BY f.user_id, f.day, f.variant ORDER BY f.day, f.user_id
"""


class SqlOwnMetrics(SqlRepository):
    """Runs the queries of metrics, each in a read-only transaction of at most `budget_seconds`."""

    def values(self, experiment: Experiment, metric: OwnMetric) -> UserCounts:
        """The metric of the users of an experiment, in the window and in as many days before.

        Raises ConfigurationError for a query that fails, and StorageUnavailable.
        """
        place = f"experiment {experiment.name!r}: metric {metric.name!r}"
        names = {"experiment_user_day": self.schema["experiment_user_day"]}
        query = _VALUES.format(sql=metric.sql.replace("%", "%%"), **names)
        days = experiment.window_days
        try:
            with self.transaction(snapshot=True) as connection:
                rows = connection.exec_driver_sql(query, (experiment.name, days, days)).all()
        except DBAPIError as error:
            raise _rejected(place, error) from None
        except StorageUnavailable as error:  # also for an unknown column, and for a query that takes too long
            if isinstance(error.__cause__, DBAPIError):
                raise _rejected(place, error.__cause__) from None
            raise
        values = np.array([row[2] for row in rows], np.float64)
        before = np.array([np.nan if row[3] is None else row[3] for row in rows], np.float64)
        if not np.isfinite(values).all() or np.isinf(before).any():
            raise ConfigurationError(f"{place}: a value is no finite number; filter such rows")
        return UserCounts(
            days,
            np.array([row[0] for row in rows], np.str_),
            np.array([row[1] for row in rows], "datetime64[D]"),
            before,
            {metric.name: values},
            mixed=0,
        )


def _rejected(place: str, error: DBAPIError) -> ConfigurationError:
    return ConfigurationError(
        f"{place}: {first_line(error)}; the query must return user_id, day and value within {QUERY_SECONDS:g} s"
    )
