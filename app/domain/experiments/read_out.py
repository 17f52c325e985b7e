"""What an experiment shows so far: the primary metric, the guardrails, and whether users are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments.confidence_sequence import (
    MIN_USERS,
    Mean,
    difference,
    users_needed,
    users_until,
)
from app.domain.experiments.covariate import adjusted
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.sample_ratio import LEVEL, sample_ratio_p_value
from app.domain.experiments.user_counts import POSTS, UserCounts, Values

PER_POSTS: Final = 1000
"""Guardrails are actions per so many posts that were served."""
_LONGEST_DAYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant against the control in one metric; the ends of the interval are None with too few users.

    control, other   means: of a user in the window, or per PER_POSTS posts
    difference       other - control
    low, high        the interval of the difference, which holds at every look
    verdict          a sentence without its full stop
    """

    metric: str
    variant: str
    control: float
    other: float
    difference: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class ReadOut:
    """An experiment so far.

    users           by variant: those who were shown a page
    complete_users  by variant: those whose window has ended; all figures are theirs
    mixed_users     users who had several variants, and are in no figure
    lost_users      the numbers of users contradict the shares: do not use the other figures
    """

    experiment: str
    window_days: int
    users: Mapping[str, int]
    complete_users: Mapping[str, int]
    mixed_users: int
    sample_ratio_p_value: float
    lost_users: bool
    primary: Sequence[Comparison]
    guardrails: Sequence[Comparison]


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


def read_out(experiment: Experiment, counts: UserCounts, today: date) -> ReadOut:
    """The read-out of users whose windows ended before `today` (UTC)."""
    names = [variant.name for variant in experiment.variants]
    is_complete = counts.first + np.timedelta64(experiment.window_days, "D") <= np.datetime64(today)
    p_value = _sample_ratio(experiment, counts)
    primary: list[Comparison] = []
    guardrails: list[Comparison] = []
    control = experiment.control.name
    days = (np.datetime64(today) - counts.first.min()).astype(int) if len(counts.first) else 0
    complete_days = max(1, int(days) - experiment.window_days)
    for variant in names:
        if variant == control:
            continue
        of_control = is_complete & (counts.variants == control)
        of_other = is_complete & (counts.variants == variant)
        # the adjustment is over these users alone
        both = of_control | of_other
        values = np.zeros(len(both))
        values[both] = adjusted(counts.counts[experiment.primary_metric][both], counts.before[both])
        primary.append(_primary(experiment, variant, values[of_control], values[of_other], complete_days))
        guardrails += [
            _guardrail(experiment, variant, metric, counts, of_control, of_other)
            for metric in experiment.guardrails
        ]
    return ReadOut(
        experiment.name,
        experiment.window_days,
        {name: int((counts.variants == name).sum()) for name in names},
        {name: int((is_complete & (counts.variants == name)).sum()) for name in names},
        counts.mixed,
        p_value,
        p_value < LEVEL,
        primary,
        guardrails,
    )


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


def _primary(experiment: Experiment, variant: str, control: Values, other: Values, days: int) -> Comparison:
    metric = experiment.primary_metric
    if min(len(control), len(other)) < MIN_USERS:
        return _without_interval(metric, variant, _mean(control), _mean(other))
    means = Mean.of(control), Mean.of(other)
    found = difference(*means, experiment.planned_users)
    if found.excludes_zero:
        verdict = "better than the control" if found.value > 0 else "worse than the control"
    else:
        users = len(control) + len(other)
        needed = users_until(*means, experiment.planned_users)
        more = None if needed is None else ceil((needed - users) / users * days)
        verdict = "not enough data yet"
        if more is not None and more <= _LONGEST_DAYS:
            verdict += f", about {more} more days if the difference stays as it is"
    return Comparison(
        metric, variant, means[0].value, means[1].value, found.value, found.low, found.high, verdict
    )


def _guardrail(
    experiment: Experiment,
    variant: str,
    metric: str,
    counts: UserCounts,
    of_control: NDArray[np.bool_],
    of_other: NDArray[np.bool_],
) -> Comparison:
    actions, posts = PER_POSTS * counts.counts[metric], counts.counts[POSTS]
    if min(of_control.sum(), of_other.sum()) < MIN_USERS:
        control, other = (
            float(actions[some].sum() / max(1.0, posts[some].sum())) for some in (of_control, of_other)
        )
        return _without_interval(metric, variant, control, other)
    means = [Mean.of_ratio(actions[some], posts[some]) for some in (of_control, of_other)]
    found = difference(means[0], means[1], experiment.planned_users)
    if found.low > 0:
        verdict = "worse than the control: switch the variant off"
    else:
        verdict = "better than the control" if found.high < 0 else "no difference is known"
    return Comparison(
        metric, variant, means[0].value, means[1].value, found.value, found.low, found.high, verdict
    )


def _without_interval(metric: str, variant: str, control: float, other: float) -> Comparison:
    verdict = f"not enough data yet: each variant needs {MIN_USERS} users whose window has ended"
    return Comparison(metric, variant, control, other, other - control, None, None, verdict)


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else 0.0


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
