"""Watches the file of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from app.application.workers.state_updater import StateUpdater
from app.domain.experiments.experiment import Experiment

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


@dataclass(eq=False)
class ExperimentsWatcher:
    """Ranks with changed experiments. While they cannot be read, those of before run.

    is_failing  the present experiments cannot be used
    """

    source: ExperimentSource
    updater: StateUpdater
    is_failing: bool = field(default=False, init=False)
    _fingerprint: object = field(default_factory=object, init=False)  # the first check reads them again

    def __post_init__(self) -> None:
        self.updater.replace_experiments(self.source.experiments)

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
                return
            self.is_failing = False
            log.info("experiments.read", enabled=[one.name for one in experiments if one.enabled])
            self.updater.replace_experiments(experiments)
        elif self.updater.feed.ranker.experiments.configured != self.updater.experiments:
            self.updater.replace_experiments(self.updater.experiments)
