"""What an experiment shows so far: the primary metric, the guardrails, and whether users are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments.comparison import Comparison, compare_guardrail, compare_own, compare_primary
from app.domain.experiments.confidence_sequence import LEVEL, Mean, users_needed
from app.domain.experiments.covariate import adjusted
from app.domain.experiments.effects import DayEffect, RateEffect, effects_by_day, effects_by_place
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.sample_ratio import LEVEL as SAMPLE_RATIO_LEVEL
from app.domain.experiments.sample_ratio import sample_ratio_p_value
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import ExperimentData, UserCounts, Values


@dataclass(frozen=True, slots=True)
class ReadOut:
    """An experiment so far.

    users           by variant: those who were shown a page
    complete_users  by variant: those whose window has ended; all figures are theirs
    mixed_users     users who had several variants, and are in no figure
    lost_users      the numbers of users contradict the shares: do not use the other figures
    guardrails      each over the first day and over the window of the users
    stops           variants that were stopped: their figures are those of that time
    own_metrics     metrics of the team; each interval holds at every look
    days, positions, reasons  where the primary metric differs, in the newest pages; without a guarantee
    """

    experiment: str
    salt: str
    window_days: int
    users: Mapping[str, int]
    complete_users: Mapping[str, int]
    mixed_users: int
    sample_ratio_p_value: float
    lost_users: bool
    primary: Sequence[Comparison]
    guardrails: Sequence[Comparison]
    stops: Sequence[Stop]
    days: Sequence[DayEffect]
    positions: Sequence[RateEffect]
    reasons: Sequence[RateEffect]
    own_metrics: Sequence[Comparison] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an experiment takes.

    mean            of the primary metric, of a user in the window
    smallest_effect the difference that is to be found, in the units of the mean
    users           of the control and one variant together, until the difference is found with 80 % probability
    days            until so many users have completed their window, at the present number of users
    """

    experiment: str
    window_days: int
    mean: float
    smallest_effect: float
    users: int
    days: int


def read_out(
    experiment: Experiment, data: ExperimentData, today: date, stops: Sequence[Stop] = ()
) -> ReadOut:
    """The read-out of users whose windows ended before `today` (UTC).

    stops  of variants of this experiment and this salt
    """
    counts = data.counts
    names = [variant.name for variant in experiment.variants]
    control = experiment.control.name
    others = [name for name in names if name != control]
    until = _until(experiment, today, stops)
    p_value = _sample_ratio(experiment, counts)
    of_variant = {name: counts.variants == name for name in names}
    is_complete = _is_complete(counts, today)
    positions, reasons = effects_by_place(experiment, data.places)
    return ReadOut(
        experiment.name,
        experiment.salt,
        experiment.window_days,
        {name: int(of_variant[name].sum()) for name in names},
        {name: int((is_complete & of_variant[name]).sum()) for name in names},
        counts.mixed,
        p_value,
        p_value < SAMPLE_RATIO_LEVEL,
        [_primary(experiment, name, counts, until[name]) for name in others],
        [row for name in others for row in _guardrails(experiment, name, data, until[name])],
        stops,
        effects_by_day(experiment, counts, data.sums, today),
        positions,
        reasons,
    )


def read_own_metrics(
    experiment: Experiment, counts: Sequence[UserCounts], today: date, stops: Sequence[Stop]
) -> Sequence[Comparison]:
    """Compare the metrics of the team, whose values are `counts`, in order."""
    until = _until(experiment, today, stops)
    rows = []
    for metric, one in zip(experiment.own_metrics, counts, strict=True):
        for variant in experiment.variants:
            if variant is not experiment.control:
                values = _adjusted_values(experiment, variant.name, metric.name, one, until[variant.name])
                rows.append(compare_own(experiment, variant.name, metric.name, *values))
    return rows


def stops_due(experiment: Experiment, found: ReadOut, now: datetime) -> Sequence[Stop]:
    """Stops of the variants that run and of which a guardrail is worse than that of the control; one for each."""
    due: dict[str, Stop] = {}
    stopped = {stop.variant for stop in found.stops}
    for row in found.guardrails:
        if row.outcome == "worse" and row.variant not in stopped | set(due):
            due[row.variant] = Stop(
                experiment.name, experiment.salt, row.variant, row.metric, row.figures, now
            )
    return list(due.values())


def plan(experiment: Experiment, after: Values, before: Values, relative_effect: float) -> Plan | None:
    """The plan to find a relative difference, from what users did before; None without users who did anything.

    after, before  counts of the primary metric in the window, and in as many days before; NaN without a history
    """
    mean = float(after.mean()) if len(after) >= 2 else 0.0
    if mean == 0:
        return None
    variance = Mean.of(adjusted(after, before)).variance
    shares = [variant.share for variant in experiment.variants]
    smallest = min(share for share in shares if share > 0)
    of_pair = smallest / (smallest + experiment.control.share)
    users = users_needed(variance, relative_effect * mean, of_pair)
    in_pair = len(after) * (smallest + experiment.control.share)  # in a window
    days = ceil(users / in_pair * experiment.window_days) + experiment.window_days
    return Plan(experiment.name, experiment.window_days, mean, relative_effect * mean, users, days)


def _until(experiment: Experiment, today: date, stops: Sequence[Stop]) -> dict[str, date]:
    """By variant: the windows that ended before this day are in the figures."""
    until = {variant.name: today for variant in experiment.variants}
    return until | {stop.variant: min(today, stop.stopped_at.astimezone(UTC).date()) for stop in stops}


def _primary(experiment: Experiment, variant: str, counts: UserCounts, until: date) -> Comparison:
    control, other = _adjusted_values(experiment, variant, experiment.primary_metric, counts, until)
    days = (np.datetime64(until) - counts.first.min()).astype(int) if len(counts.first) else 0
    complete_days = max(1, int(days) - experiment.window_days)
    return compare_primary(experiment, variant, control, other, complete_days)


def _adjusted_values(
    experiment: Experiment, variant: str, metric: str, counts: UserCounts, until: date
) -> tuple[Values, Values]:
    """The values of the users of the control, and those of the variant. The adjustment is over these users alone."""
    of_control, of_other = _of_pair(experiment, variant, counts, until)
    both = of_control | of_other
    values = np.zeros(len(both))
    values[both] = adjusted(counts.counts[metric][both], counts.before[both])
    return values[of_control], values[of_other]


def _guardrails(experiment: Experiment, variant: str, data: ExperimentData, until: date) -> list[Comparison]:
    """Over the first day and over the window, each at a part of the level, so that one holds for both together."""
    windows = [data.first_day] if data.counts.window_days == 1 else [data.first_day, data.counts]
    rows = []
    for metric in experiment.guardrails:
        for one in windows:
            pair = _of_pair(experiment, variant, one, until)
            rows.append(compare_guardrail(experiment, variant, metric, one, *pair, LEVEL / len(windows)))
    return rows


def _of_pair(
    experiment: Experiment, variant: str, counts: UserCounts, until: date
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The users of the control, and those of the variant, whose windows ended before `until`."""
    is_complete = _is_complete(counts, until)
    is_control, is_other = (counts.variants == name for name in (experiment.control.name, variant))
    return is_complete & is_control, is_complete & is_other


def _is_complete(counts: UserCounts, until: date) -> NDArray[np.bool_]:
    is_complete: NDArray[np.bool_] = counts.first + np.timedelta64(counts.window_days, "D") <= np.datetime64(
        until
    )
    return is_complete


def _sample_ratio(experiment: Experiment, counts: UserCounts) -> float:
    """The smallest p-value at the end of a day: the test holds at every look."""
    variants = [variant for variant in experiment.variants if variant.share > 0]
    if not len(counts.first):
        return 1.0
    days, day = np.unique(counts.first, return_inverse=True)
    by_day = np.zeros((len(days), len(variants)), np.int64)
    for place, variant in enumerate(variants):
        of_variant = counts.variants == variant.name
        by_day[:, place] = np.bincount(day[of_variant], minlength=len(days))
    shares = [variant.share for variant in variants]
    return min(sample_ratio_p_value(users, shares) for users in by_day.cumsum(axis=0))
