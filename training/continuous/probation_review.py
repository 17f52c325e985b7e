"""Reviews the probation of the active version: rolls it back if users choose less with it than with that of before."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.domain.entities.model_record import ModelRecord
from app.domain.experiments.comparison import Comparison
from app.domain.experiments.probation import (
    OLD,
    compare,
    kept_version,
    probation_of,
    targets_of,
)
from app.domain.experiments.stop import Stop
from app.domain.repositories.experiment_repository import ExperimentResults, ProbationReader
from app.infrastructure.ml.registry.file_registry import FileModelRegistry


@dataclass(frozen=True, slots=True)
class Review:
    """A probation so far.

    against      the version of before
    until        its end
    is_running   it goes on; no weights are promoted meanwhile
    comparison   the version of before against the promoted one
    rolled_back  the version that is active again; None if the promoted one stays
    """

    version: str
    against: str
    until: datetime
    is_running: bool
    comparison: Comparison
    rolled_back: str | None

    @property
    def figures(self) -> str:
        """What users choose with both versions, as a line of text."""
        found = self.comparison
        interval = ""
        if found.low is not None and found.high is not None:
            interval = f" ({-found.high:+.2f} to {-found.low:+.2f})"
        return (
            f"choices per {found.unit}: {self.version} {found.control:.2f}, {self.against} {found.other:.2f}, "
            f"difference {-found.difference:+.2f}{interval}"
        )

    def __str__(self) -> str:
        """The review as one line."""
        if self.rolled_back is not None:
            return f"{self.version}: rolled back, {self.rolled_back} is active again; {self.figures}"
        state = f"on probation until {self.until:%Y-%m-%d %H:%M} UTC" if self.is_running else "has passed"
        reason = "; not enough data yet" if self.comparison.outcome == "too_few" else ""
        return f"{self.version}: {state}; {self.figures}{reason}"


def review(
    registry: FileModelRegistry,
    active: ModelRecord,
    counts: ProbationReader,
    results: ExperimentResults,
    now: datetime,
) -> Review | None:
    """Review the probation of the active version; None if it has none, or if one was decided before.

    The version of before is active again when this returns a review with `rolled_back`. The stop that it stores ends
    the probation for good, also if somebody promotes the version again. A probation that has ended is reviewed too:
    its counts are complete then.

    Raises StorageUnavailable, NotActive if another version is active, InvalidArtifact.
    """
    probation = probation_of(active)
    if probation is None or any(probation.has_stop(stop) for stop in results.stops()):
        return None
    found = compare(probation, counts.of_probation(probation, targets_of(active)))
    until, is_running = datetime.fromtimestamp(probation.end, UTC), now.timestamp() < probation.end
    so_far = Review(active.version, kept_version(probation), until, is_running, found, None)
    if found.outcome != "better":
        return so_far
    active_again = registry.rollback(replaces=active).version
    results.add_stop(Stop(probation.name, probation.salt, OLD, found.metric, so_far.figures, now))
    return replace(so_far, is_running=False, rolled_back=active_again)


def counted_from(registry: FileModelRegistry, active: ModelRecord) -> float:
    """The time in seconds from which requests count for a promotion over the active version; 0 for all of them.

    If a promotion over it was rolled back, it is the end of that probation: the requests that promoted those weights
    would promote the same ones again.
    """
    probations = (probation_of(one) for one in registry.rolled_back())
    return max(
        (one.end for one in probations if one is not None and kept_version(one) == active.version),
        default=0.0,
    )
