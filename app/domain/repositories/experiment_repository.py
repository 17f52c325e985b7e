"""Ports: what the users of experiments did, which variants were stopped, and the last read-out of each experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.domain.experiments.experiment import Experiment
from app.domain.experiments.preference import Preference
from app.domain.experiments.probation import ProbationCounts
from app.domain.experiments.read_out import ReadOut
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import ExperimentData
from app.domain.experiments.user_credits import UserCredits


@dataclass(frozen=True, slots=True)
class StoredReadOut:
    """A read-out or a preference as JSON. Another version of the service may have stored it, with other fields."""

    experiment: str
    read_at: datetime
    content: Mapping[str, Any]


class ExperimentCounts(Protocol):
    """Reads what users did. It may take minutes."""

    def read(self, experiment: Experiment, now: datetime) -> ExperimentData:
        """What the users of an experiment did until `now`. Users who had several variants are omitted.

        Raises StorageUnavailable.
        """


class ExperimentCredits(Protocol):
    """Reads what users did with the posts of interleaved lists. It may take minutes."""

    def read(self, experiment: Experiment, now: datetime) -> UserCredits:
        """What the users of an interleaving did until `now`, of those whose first page is still stored.

        Raises StorageUnavailable.
        """


class ProbationReader(Protocol):
    """Reads what the users of a probation did."""

    def of_probation(self, probation: Experiment, targets: Sequence[str]) -> ProbationCounts:
        """What they were shown and chose; `targets` are the types of events. Users of both variants are omitted.

        Raises StorageUnavailable.
        """


class ExperimentResults(Protocol):
    """What all replicas know about experiments. Every method raises StorageUnavailable."""

    def stops(self) -> Sequence[Stop]:
        """All stops, also those of experiments that do not run any more."""

    def add_stop(self, stop: Stop) -> bool:
        """Store a stop, and return True, unless there is one of this variant."""

    def begin_read_out(self, experiment: str, interval_seconds: float) -> bool:
        """True if this replica is to read the experiment out: no other one began to within the interval."""

    def save_read_out(self, found: ReadOut | Preference, read_at: datetime) -> None:
        """Store the read-out in place of the one before. That of an interleaving is a preference."""

    def read_outs(self) -> Sequence[StoredReadOut]:
        """The last read-outs, of all experiments that were ever read out."""
