"""List the experiments with their last read-outs and stops, for operators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.entities.model_record import Channel
from app.domain.experiments.comparison import Outcome
from app.domain.experiments.experiment import Experiment, Kind
from app.domain.experiments.stop import Stop
from app.domain.repositories.experiment_repository import ExperimentResults

__all__ = ["Channel", "Experiment", "ExperimentOverview", "Kind", "ListExperiments", "Outcome", "Stop"]


@dataclass(frozen=True, slots=True)
class ExperimentOverview:
    """An experiment; `read_at` and `read_out` are None before it was read out.

    read_out  a ReadOut as JSON; of an interleaving, a Preference
    """

    experiment: Experiment
    stops: Sequence[Stop]
    read_at: datetime | None
    read_out: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ListExperiments:
    """`experiments` returns those that are configured; `results` is None without a database."""

    experiments: Callable[[], Sequence[Experiment]]
    results: ExperimentResults | None

    def __call__(self) -> Sequence[ExperimentOverview]:
        """The experiments in the order of the file. Raises StorageUnavailable."""
        experiments = self.experiments()
        if not experiments or self.results is None:
            return [ExperimentOverview(one, (), None, None) for one in experiments]
        stops, stored = self.results.stops(), {one.experiment: one for one in self.results.read_outs()}
        overviews = []
        for one in experiments:
            of_this = [stop for stop in stops if one.has_stop(stop)]
            last = stored.get(one.name)
            if last is None or last.content.get("salt") != one.salt:  # that of the users of before
                overviews.append(ExperimentOverview(one, of_this, None, None))
            else:
                overviews.append(ExperimentOverview(one, of_this, last.read_at, last.content))
        return overviews
