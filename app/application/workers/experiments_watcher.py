"""Watches the file of experiments, and the stops of their variants."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from app.application.workers.state_updater import StateUpdater
from app.application.workers.variant_models import VariantModels
from app.domain.errors import StorageUnavailable
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.probation import probation_of
from app.domain.experiments.stop import Stop
from app.domain.repositories.experiment_repository import ExperimentResults

log = structlog.get_logger()


class ExperimentSource(Protocol):
    """Port: the experiments that are configured."""

    @property
    def experiments(self) -> Sequence[Experiment]:
        """Those that could be read last."""

    def fingerprint(self) -> object:
        """Return a value that changes with the experiments; cheap enough to poll."""

    def read(self) -> Sequence[Experiment]:
        """Return the present experiments. Raises ValueError if they cannot be used."""


@dataclass(frozen=True, slots=True)
class NoExperiments:
    """ExperimentSource of a service without a file of experiments."""

    experiments: Sequence[Experiment] = ()

    def fingerprint(self) -> object:
        """Nothing changes."""

    def read(self) -> Sequence[Experiment]:
        """No experiments."""
        return self.experiments


@dataclass(eq=False)
class ExperimentsWatcher:
    """Ranks with changed experiments. While they cannot be read, those of before run.

    The probation of the served version is an experiment too, unless an enabled one changes the model.

    No variant runs before the stops were read once: one that was stopped would run again.

    models      of variants that name a version or a channel
    results     None without a database: then no variant is stopped
    is_failing  the present experiments cannot be used
    """

    source: ExperimentSource
    updater: StateUpdater
    models: VariantModels
    results: ExperimentResults | None = None
    is_failing: bool = field(default=False, init=False)
    _fingerprint: object = field(default_factory=object, init=False)  # the first check reads them again
    _stops: frozenset[Stop] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.results is None:
            self._stops = frozenset()
        self._run()

    @property
    def stopped_variants(self) -> Sequence[tuple[str, str]]:
        """Experiments and variants that guardrails stopped, of the experiments that run."""
        running = self.updater.experiments
        return [(one.name, variant) for one in running if one.enabled for variant in sorted(one.stopped)]

    def check(self) -> None:
        """Read the experiments if they changed, and see that a model that was loaded meanwhile has them."""
        fingerprint = self.source.fingerprint()
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            try:
                experiments = self.source.read()
            except ValueError as error:
                if not self.is_failing:
                    log.warning("experiments.not_read", cause=str(error), hint="those of before still run")
                self.is_failing = True
            else:
                self.is_failing = False
                if experiments or self.updater.experiments:
                    log.info("experiments.read", enabled=[one.name for one in experiments if one.enabled])
        self._read_stops()
        self._run()

    def _experiments(self) -> Sequence[Experiment]:
        """Those that are configured, and the probation of the served version."""
        configured, served = self.source.experiments, self.updater.feed.ranker.published
        probation = None if served is None else probation_of(served.record)
        if probation is None or any(one.enabled and one.changes_model for one in configured):
            return configured
        return (*configured, probation)

    def _read_stops(self) -> None:
        if self.results is None or not self._experiments():
            return
        try:
            self._stops = frozenset(self.results.stops())
        except StorageUnavailable as error:
            if self._stops is None:
                log.warning("experiments.stops_not_read", cause=str(error), hint="no variant runs until then")

    def _run(self) -> None:
        """Rank with the experiments and their stops, unless the ranker has them."""
        if self._stops is None and self._experiments():
            return
        stops = self._stops or ()
        experiments = tuple(one.with_stops(stops) for one in self._experiments())
        models_changed = self.models.load(experiments, self.updater.feed.ranker.published)
        self.updater.variant_models = self.models.loaded
        if models_changed or self.updater.feed.ranker.experiments.configured != experiments:
            self.updater.replace_experiments(experiments)
