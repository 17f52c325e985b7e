"""Reads experiments out, and stops variants that are clearly worse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

import structlog

from app.domain.errors import StorageUnavailable
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.preference import preference
from app.domain.experiments.read_out import read_out, stops_due
from app.domain.repositories.experiment_repository import (
    ExperimentCounts,
    ExperimentCredits,
    ExperimentResults,
)
from app.domain.services.clock import Clock

log = structlog.get_logger()


@dataclass(eq=False)
class ExperimentReader:
    """Reads each experiment out once an interval; of several replicas, one does.

    experiments  returns those that are configured
    """

    experiments: Callable[[], Sequence[Experiment]]
    counts: ExperimentCounts
    credits: ExperimentCredits
    results: ExperimentResults
    clock: Clock
    interval_seconds: float

    def run(self) -> None:
        """Read out the experiments that are due, and store the stops of their guardrails."""
        now = self.clock.now()
        for experiment in self.experiments():
            is_due = experiment.enabled and experiment.start <= now.timestamp()
            if not is_due:
                continue
            try:
                if self.results.begin_read_out(experiment.name, self.interval_seconds):
                    if experiment.kind == "interleaving":
                        self._read_preference(experiment)
                    else:
                        self._read_out(experiment)
            except StorageUnavailable as error:
                log.warning("experiment.not_read_out", experiment=experiment.name, cause=str(error))

    def _read_preference(self, experiment: Experiment) -> None:
        now = self.clock.now()
        credited = self.credits.read(experiment, now)
        self.results.save_read_out(preference(experiment, credited, now.astimezone(UTC).date()), now)

    def _read_out(self, experiment: Experiment) -> None:
        now = self.clock.now()
        stops = [stop for stop in self.results.stops() if experiment.has_stop(stop)]
        data = self.counts.read(experiment, now)
        today = now.astimezone(UTC).date()
        found = read_out(experiment, data, today, stops)
        due = stops_due(experiment, found, now)
        for stop in due:
            if self.results.add_stop(stop):
                log.warning(
                    "experiment.variant_stopped",
                    experiment=stop.experiment,
                    variant=stop.variant,
                    guardrail=stop.metric,
                    cause=stop.reason,
                    hint="its users have the served ranking; another salt begins again",
                )
        if due:
            found = read_out(experiment, data, today, [*stops, *due])
        self.results.save_read_out(found, now)
