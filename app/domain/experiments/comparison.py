"""A variant against the control in one metric."""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments.confidence_sequence import (
    LEVEL,
    MIN_USERS,
    Difference,
    Mean,
    difference,
    users_until,
)
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.user_counts import GUARDRAIL_BASES, UserCounts, Values

PER: Final = 1000
"""Guardrails are actions per so many posts or pages that were served."""
MIN_ACTIONS: Final = 50
"""Actions of the control and the variant together below which a guardrail has no interval: they are too rare."""
_LONGEST_DAYS: Final = 10_000

Outcome = Literal["better", "worse", "unknown", "too_few"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant and the control in one metric; the ends of the interval are None with too few users or actions.

    unit             what the means are of: "user", "1,000 posts" or "1,000 pages"
    window_days      days from the first page of a user that count
    control, other   means
    difference       other - control
    low, high        the interval of the difference, which holds at every look
    outcome          "worse" and "better" are for the users: more hidden posts are worse
    verdict          the outcome as a sentence without its full stop
    """

    metric: str
    unit: str
    window_days: int
    variant: str
    control: float
    other: float
    difference: float
    low: float | None
    high: float | None
    outcome: Outcome
    verdict: str

    @property
    def figures(self) -> str:
        """The figures as a line of text."""
        days = "the first day" if self.window_days == 1 else f"{self.window_days} days"
        interval = "" if self.low is None or self.high is None else f" ({self.low:+.3f} to {self.high:+.3f})"
        return (
            f"{self.metric} per {self.unit} in {days}: {self.variant} {self.other:.3f}, "
            f"control {self.control:.3f}, difference {self.difference:+.3f}{interval}"
        )


def compare_primary(
    experiment: Experiment, variant: str, control: Values, other: Values, complete_days: int
) -> Comparison:
    """Compare the primary metric by the values of users, one for each user.

    complete_days  days on which these users came
    """
    if min(len(control), len(other)) < MIN_USERS:
        values = tuple(float(some.mean()) if len(some) else 0.0 for some in (control, other))
        return _primary(experiment, variant, values, None, "too_few", _TOO_FEW_USERS)
    means = Mean.of(control), Mean.of(other)
    found = difference(*means, experiment.planned_users)
    outcome: Outcome = "unknown"
    if found.excludes_zero:
        outcome = "better" if found.value > 0 else "worse"
        verdict = f"{outcome} than the control"
    else:
        users = len(control) + len(other)
        needed = users_until(*means, experiment.planned_users)
        more = None if needed is None else ceil((needed - users) / users * complete_days)
        verdict = "not enough data yet"
        if more is not None and more <= _LONGEST_DAYS:
            verdict += f", about {more} more days if the difference stays as it is"
    return _primary(experiment, variant, (means[0].value, means[1].value), found, outcome, verdict)


def compare_own(
    experiment: Experiment, variant: str, metric: str, control: Values, other: Values
) -> Comparison:
    """Compare a metric of the team by the values of users. It is not known whether more of it is better."""
    outcome: Outcome = "too_few"
    found, verdict = None, _TOO_FEW_USERS
    means = tuple(float(some.mean()) if len(some) else 0.0 for some in (control, other))
    if min(len(control), len(other)) >= MIN_USERS:
        found = difference(Mean.of(control), Mean.of(other), experiment.planned_users)
        outcome, verdict = "unknown", "no difference is known"
        if found.excludes_zero:
            verdict = f"{'higher' if found.value > 0 else 'lower'} than the control"
    days = experiment.window_days
    return _comparison(metric, "user", days, variant, means, found, outcome, verdict)


def compare_guardrail(
    experiment: Experiment,
    variant: str,
    metric: str,
    counts: UserCounts,
    of_control: NDArray[np.bool_],
    of_other: NDArray[np.bool_],
    level: float = LEVEL,
) -> Comparison:
    """Compare a guardrail by the counts of these users. The interval holds with the probability 1 - `level`."""
    base = GUARDRAIL_BASES.get(metric, GUARDRAIL_BASES[None])
    actions, served = counts.counts[metric], counts.counts[base]
    control, other = ((actions[some], served[some]) for some in (of_control, of_other))
    rates = _Rates(metric, f"{PER:,} {base}s", counts.window_days, control, other)
    return _compare_rates(experiment, variant, rates, "worse", level)


def compare_choices(
    experiment: Experiment, variant: str, control: tuple[Values, Values], other: tuple[Values, Values]
) -> Comparison:
    """Compare the choices per 1,000 posts. `control` and `other` are choices and shown posts by user, (n,) each."""
    rates = _Rates(experiment.primary_metric, f"{PER:,} posts", experiment.window_days, control, other)
    return _compare_rates(experiment, variant, rates, "better", LEVEL)


@dataclass(frozen=True, slots=True, eq=False)
class _Rates:
    """Actions of users in relation to what they were served; `control` and `other` have (n,) of both by user."""

    metric: str
    unit: str
    window_days: int
    control: tuple[Values, Values]
    other: tuple[Values, Values]


def _compare_rates(
    experiment: Experiment, variant: str, rates: _Rates, if_more: Outcome, level: float
) -> Comparison:
    """The comparison; its outcome is `if_more` if the variant is known to have more actions."""
    outcome: Outcome = "unknown"
    found, verdict = None, "no difference is known"
    both = rates.control, rates.other
    if min(len(actions) for actions, _ in both) < MIN_USERS:
        outcome, verdict = "too_few", _TOO_FEW_USERS
    elif sum(actions.sum() for actions, _ in both) < MIN_ACTIONS:
        outcome, verdict = "too_few", f"not enough data yet: there are fewer than {MIN_ACTIONS}"
    if outcome == "too_few":
        control, other = (PER * float(actions.sum() / max(1.0, served.sum())) for actions, served in both)
    else:
        means = [Mean.of_ratio(PER * actions, served) for actions, served in both]
        control, other = means[0].value, means[1].value
        found = difference(means[0], means[1], experiment.planned_users, level)
        if found.excludes_zero:
            if_fewer: Outcome = "better" if if_more == "worse" else "worse"
            outcome = if_more if found.low > 0 else if_fewer
            verdict = f"{outcome} than the control"
    return _comparison(
        rates.metric, rates.unit, rates.window_days, variant, (control, other), found, outcome, verdict
    )


_TOO_FEW_USERS: Final = f"not enough data yet: each variant needs {MIN_USERS} users whose days have ended"


def _primary(
    experiment: Experiment,
    variant: str,
    means: tuple[float, ...],
    found: Difference | None,
    outcome: Outcome,
    verdict: str,
) -> Comparison:
    metric, days = experiment.primary_metric, experiment.window_days
    return _comparison(metric, "user", days, variant, means, found, outcome, verdict)


def _comparison(
    metric: str,
    unit: str,
    window_days: int,
    variant: str,
    means: tuple[float, ...],
    found: Difference | None,
    outcome: Outcome,
    verdict: str,
) -> Comparison:
    control, other = means
    low, high = (None, None) if found is None else (found.low, found.high)
    return Comparison(
        metric, unit, window_days, variant, control, other, other - control, low, high, outcome, verdict
    )
