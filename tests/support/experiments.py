"""Experiments of tests, and a source of them that a test changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from app.domain.experiments.experiment import Experiment, Variant


def an_experiment(
    name: str = "order",
    options: Mapping[str, Any] | None = None,
    *,
    shares: tuple[float, float] = (0.5, 0.5),
    enabled: bool = True,
    start: float = 0.0,
    end: float = inf,
) -> Experiment:
    """Two variants, `control` and `other`; the other one repeats authors without a lower score by default."""
    other = {"author_repeat_factor": 1.0} if options is None else options
    return Experiment(
        name,
        f"salt of {name}",
        (Variant("control", shares[0], {}), Variant("other", shares[1], other)),
        held_back=1 - sum(shares),
        start=start,
        end=end,
        primary_metric="like",
        guardrails=("hide_post",),
        planned_users=10_000,
        window_days=7,
        enabled=enabled,
    )


def an_interleaving(
    options: Mapping[str, Any] | None = None, *, held_back: float = 0.0, enabled: bool = True
) -> Experiment:
    """The variant `other` has other candidates by default."""
    share = (1 - held_back) / 2
    other = {"exclude_sources": ("trending",)} if options is None else options
    return replace(
        an_experiment(options=other, shares=(share, share), enabled=enabled),
        kind="interleaving",
        held_back=held_back,
        guardrails=(),
    )


@dataclass
class FakeExperiments:
    """ExperimentSource of some experiments, or of a file that cannot be used."""

    experiments: Sequence[Experiment] = ()
    problem: str | None = None
    version: int = 0

    def fingerprint(self) -> object:
        return self.version

    def read(self) -> Sequence[Experiment]:
        if self.problem is not None:
            raise ValueError(self.problem)
        return self.experiments

    def change(self, *experiments: Experiment, problem: str | None = None) -> None:
        """Have other experiments, or a problem, from the next poll on."""
        self.problem = problem
        if problem is None:
            self.experiments = experiments
        self.version += 1
