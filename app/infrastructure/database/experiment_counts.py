"""Reads what the users of experiments did from the database."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from app.domain.entities.reason import Reason
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.probation import ProbationCounts
from app.domain.experiments.user_counts import (
    PAGES,
    POSTS,
    DaySum,
    ExperimentData,
    PlaceCount,
    UserCounts,
    Values,
)
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
_SUMS = """
WITH first AS (
    SELECT user_id, min(day) AS day, min(variant) AS variant FROM {experiment_user_day}
    WHERE experiment = %s AND metric = 'page' GROUP BY user_id HAVING count(DISTINCT variant) = 1
)
SELECT c.day, f.variant, sum(c.count)::bigint, sum(c.count * c.count)::bigint
FROM {experiment_user_day} c JOIN first f USING (user_id)
WHERE c.experiment = %s AND c.metric = %s GROUP BY 1, 2
"""
# Of the newest pages: what was shown at each place for each reason, and the events of the response there.
_PLACES = """
WITH pages AS MATERIALIZED (
    SELECT user_id, request_id, posts, sources, variants->>%s AS variant FROM {impression}
    WHERE variants ? %s AND time >= %s ORDER BY time DESC LIMIT %s
), shown AS (
    SELECT variant, place, substr(sources, place::integer, 1) AS letter, count(*) AS shown
    FROM pages CROSS JOIN unnest(posts) WITH ORDINALITY AS on_page (post, place) GROUP BY 1, 2, 3
), did AS (
    SELECT g.variant, o.place, substr(g.sources, o.place, 1) AS letter, count(*) AS events
    FROM pages g JOIN {user_interaction} e ON e.user_id = g.user_id AND e.request_id = g.request_id
    JOIN {feed_posts} p ON p.id = e.post_id AND p.seq = ANY (g.posts)
    CROSS JOIN LATERAL array_position(g.posts::bigint[], p.seq) AS o (place)
    WHERE e.interaction_type = %s GROUP BY 1, 2, 3
)
SELECT variant, place, letter, shown, coalesce(events, 0) FROM shown LEFT JOIN did USING (variant, place, letter)
ORDER BY 1, 2, 3
"""
# What users did until the end of a probation. A user with both variants, by a merge, is omitted.
_PROBATION = """
WITH shown AS (
    SELECT user_id, min(variant) AS variant FROM {experiment_user_day}
    WHERE experiment = %(experiment)s AND metric = 'page' GROUP BY user_id HAVING count(DISTINCT variant) = 1
)
SELECT s.variant, coalesce(sum(c.count) FILTER (WHERE c.metric = 'post'), 0)::bigint,
    coalesce(sum(c.count) FILTER (WHERE c.metric = ANY (%(targets)s)), 0)::bigint
FROM shown s JOIN {experiment_user_day} c ON c.user_id = s.user_id AND c.experiment = %(experiment)s
WHERE c.day <= %(until)s GROUP BY s.user_id, s.variant
"""
_EXPOSURES = """
SELECT user_id::text, variant, min(day), sum(count)::bigint FROM {experiment_user_day}
WHERE experiment = %s AND metric = 'page' GROUP BY user_id, variant ORDER BY user_id, variant
"""
_DAILY_COUNTS = """
SELECT user_id::text, variant, day, metric, count FROM {experiment_user_day}
WHERE experiment = %s ORDER BY user_id, variant, day, metric
"""
BATCH_ROWS: Final = 50_000
_REASONS = {reason.letter: reason.value for reason in Reason}
MAX_PAGES_READ: Final = 200_000
"""Newest pages of an experiment whose places are counted, of the last PAGE_DAYS."""
PAGE_DAYS: Final = 7
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

    def read(self, experiment: Experiment, now: datetime) -> ExperimentData:
        """As in ExperimentCounts. Users have several variants by a merge, or by another salt."""
        with self.transaction(snapshot=True) as connection:
            counts = self._of_users(connection, experiment, experiment.window_days)
            first_day = counts
            if experiment.window_days != 1:
                first_day = self._of_users(connection, experiment, 1)
            return ExperimentData(
                counts,
                first_day,
                self._sums(connection, experiment),
                self._places(connection, experiment, now),
            )

    def of_probation(self, probation: Experiment, targets: Sequence[str]) -> ProbationCounts:
        """As in ProbationReader."""
        until = datetime.fromtimestamp(probation.end, UTC).date()
        parameters = {"experiment": probation.name, "targets": list(targets), "until": until}
        with self.transaction(snapshot=True) as connection:
            rows = connection.exec_driver_sql(_PROBATION.format_map(self.schema), parameters).all()
        return ProbationCounts(
            np.array([row[0] for row in rows], np.str_),
            np.array([row[1] for row in rows], np.float64),
            np.array([row[2] for row in rows], np.float64),
        )

    def exposures(self, experiment: str) -> Iterator[Sequence[Sequence[Any]]]:
        """Batches of rows (user, variant, first day, pages), by user. Raises StorageUnavailable."""
        return self._batches(_EXPOSURES, experiment)

    def daily_counts(self, experiment: str) -> Iterator[Sequence[Sequence[Any]]]:
        """Batches of rows (user, variant, day, metric, count), by user. Raises StorageUnavailable."""
        return self._batches(_DAILY_COUNTS, experiment)

    def _batches(self, query: str, experiment: str) -> Iterator[Sequence[Sequence[Any]]]:
        with self.transaction(snapshot=True) as connection:
            streamed = connection.execution_options(stream_results=True)
            result = streamed.exec_driver_sql(query.format_map(self.schema), (experiment,))
            yield from result.partitions(BATCH_ROWS)

    def _of_users(self, connection: Connection, experiment: Experiment, window_days: int) -> UserCounts:
        name, primary_metric = experiment.name, experiment.primary_metric
        metrics = list(dict.fromkeys((primary_metric, PAGES, POSTS, *experiment.guardrails)))
        parameters = (name, metrics, name, window_days, primary_metric, window_days)
        rows = self._rows(connection, _USERS, parameters)
        single = [row for row in rows if row[1] == 1]
        counts = np.array([row[5] for row in single], np.float64).reshape(-1, len(metrics))
        return UserCounts(
            window_days,
            variants=np.array([row[0] for row in single], np.str_),
            first=np.array([row[2] for row in single], "datetime64[D]"),
            before=np.array([row[4] if row[3] else np.nan for row in single], np.float64),
            counts={metric: counts[:, place] for place, metric in enumerate(metrics)},
            mixed=len(rows) - len(single),
        )

    def _sums(self, connection: Connection, experiment: Experiment) -> list[DaySum]:
        parameters = experiment.name, experiment.name, experiment.primary_metric
        return [DaySum(*row) for row in self._rows(connection, _SUMS, parameters)]

    def _places(self, connection: Connection, experiment: Experiment, now: datetime) -> list[PlaceCount]:
        since = now - timedelta(days=PAGE_DAYS)
        parameters = experiment.name, experiment.name, since, MAX_PAGES_READ, experiment.primary_metric
        rows = self._rows(connection, _PLACES, parameters)
        return [
            PlaceCount(variant, place, _REASONS.get(letter), shown, events)
            for variant, place, letter, shown, events in rows
        ]

    def baseline(self, primary_metric: str, window_days: int, today: date) -> tuple[Values, Values]:
        """What all users who were shown pages did in the window from their first page on, and in as many days before.

        The first pages are those of the `window_days` that ended `window_days` ago. NaN: users without any earlier
        event. Raises StorageUnavailable.
        """
        of_events = (primary_metric, window_days, primary_metric, window_days)
        with self.transaction(snapshot=True) as connection:
            rows = self._rows(connection, _BASELINE, (today, window_days, today, window_days, *of_events))
        after = np.array([row[2] for row in rows], np.float64)
        return after, np.array([row[1] if row[0] else np.nan for row in rows], np.float64)

    def _rows(self, connection: Connection, query: str, parameters: tuple[object, ...]) -> Sequence[Any]:
        return connection.exec_driver_sql(query.format_map(self.schema), parameters).all()
