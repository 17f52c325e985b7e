"""ExperimentResults over PostgreSQL."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

import orjson

from app.domain.experiments.preference import Preference
from app.domain.experiments.read_out import ReadOut
from app.domain.experiments.stop import Stop
from app.domain.repositories.experiment_repository import StoredReadOut
from app.infrastructure.database.sql_repository import SqlRepository

_COLUMNS = "experiment, salt, variant, metric, reason, stopped_at"


class SqlExperimentResults(SqlRepository):
    """ExperimentResults over the tables experiment_stop and experiment_report."""

    def stops(self) -> Sequence[Stop]:
        query = f"SELECT {_COLUMNS} FROM {self.schema['experiment_stop']} ORDER BY stopped_at, variant"
        with self.transaction() as connection:
            return [Stop(*row) for row in connection.exec_driver_sql(query)]

    def add_stop(self, stop: Stop) -> bool:
        statement = (
            f"INSERT INTO {self.schema['experiment_stop']} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (experiment, salt, variant) DO NOTHING"
        )
        with self.transaction() as connection:
            return connection.exec_driver_sql(statement, astuple(stop)).rowcount == 1

    def begin_read_out(self, experiment: str, interval_seconds: float) -> bool:
        statement = (
            f"INSERT INTO {self.schema['experiment_report']} AS stored (experiment, begun_at) VALUES (%s, now()) "
            "ON CONFLICT (experiment) DO UPDATE SET begun_at = now() "
            "WHERE stored.begun_at < now() - %s * interval '1 second'"
        )
        with self.transaction() as connection:
            return connection.exec_driver_sql(statement, (experiment, interval_seconds)).rowcount == 1

    def save_read_out(self, found: ReadOut | Preference, read_at: datetime) -> None:
        table = self.schema["experiment_report"]
        statement = f"UPDATE {table} SET read_at = %s, report = %s::jsonb WHERE experiment = %s"
        with self.transaction() as connection:
            connection.exec_driver_sql(statement, (read_at, orjson.dumps(found).decode(), found.experiment))

    def read_outs(self) -> Sequence[StoredReadOut]:
        table = self.schema["experiment_report"]
        query = (
            f"SELECT experiment, read_at, report FROM {table} WHERE report IS NOT NULL ORDER BY experiment"
        )
        with self.transaction() as connection:
            return [StoredReadOut(*row) for row in connection.exec_driver_sql(query)]
