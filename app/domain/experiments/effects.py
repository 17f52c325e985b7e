"""Where and when a variant makes a difference: by day, by position on the page, and by reason.

These figures explain an experiment. Their intervals are of one day alone; only the primary metric and the guardrails
have intervals that hold at every look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from app.domain.experiments.confidence_sequence import LEVEL
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.user_counts import DaySum, PlaceCount, UserCounts

MAX_POSITION: Final = 20
"""Positions from here on are one."""
_PER: Final = 1000
_QUANTILE: Final = NormalDist().inv_cdf(1 - LEVEL / 2)


@dataclass(frozen=True, slots=True)
class DayEffect:
    """The primary metric per user on one day, over all users who had their first page by then.

    low, high  a 95 % interval of the difference on this day; None with fewer than two users of a variant
    """

    day: date
    variant: str
    control: float
    other: float
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RateEffect:
    """Events of the primary metric per 1,000 posts at a position, or of a reason.

    name                        "1" for the first post of a page, "20" for all from there on; or a reason
    control, other              the rates
    control_shown, other_shown  posts that were shown
    """

    name: str
    variant: str
    control: float
    other: float
    control_shown: int
    other_shown: int


def effects_by_day(
    experiment: Experiment, counts: UserCounts, sums: Iterable[DaySum], today: date
) -> Sequence[DayEffect]:
    """The effects on the days that have ended, oldest first."""
    found = {(one.day, one.variant): one for one in sums}
    if not len(counts.first):
        return []
    others = [variant.name for variant in experiment.variants if variant is not experiment.control]
    effects: list[DayEffect] = []
    for day in np.arange(counts.first.min(), np.datetime64(today)):
        by_name = {}
        for variant in experiment.variants:
            users = int(((counts.first <= day) & (counts.variants == variant.name)).sum())
            by_name[variant.name] = _moments(users, found.get((day.item(), variant.name)))
        control = by_name[experiment.control.name]
        effects += [_day_effect(day.item(), name, control, by_name[name]) for name in others]
    return effects


def effects_by_place(
    experiment: Experiment, places: Sequence[PlaceCount]
) -> tuple[Sequence[RateEffect], Sequence[RateEffect]]:
    """The effects by position, and by reason."""
    positions = [(str(min(one.place, MAX_POSITION)), one) for one in places]
    reasons = [(one.reason or "unknown", one) for one in places]
    return (
        sorted(_rates(experiment, positions), key=lambda one: int(one.name)),
        sorted(_rates(experiment, reasons), key=lambda one: one.name),
    )


def _moments(users: int, one: DaySum | None) -> tuple[int, float, float]:
    """Number of users, mean, and variance of the mean; users without an event have a count of 0."""
    if users == 0 or one is None:
        return users, 0.0, 0.0
    mean = one.total / users
    variance = max(0.0, one.squares / users - mean**2)
    return users, mean, variance / max(1, users - 1)


def _day_effect(
    day: date, variant: str, control: tuple[int, float, float], other: tuple[int, float, float]
) -> DayEffect:
    difference = other[1] - control[1]
    half_width = _QUANTILE * sqrt(control[2] + other[2])
    low, high = difference - half_width, difference + half_width
    if min(control[0], other[0]) < 2:
        return DayEffect(day, variant, control[1], other[1], difference, None, None)
    return DayEffect(day, variant, control[1], other[1], difference, low, high)


def _rates(experiment: Experiment, named: Iterable[tuple[str, PlaceCount]]) -> list[RateEffect]:
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for name, one in named:
        shown, events = totals.get((name, one.variant), (0, 0))
        totals[name, one.variant] = shown + one.shown, events + one.events
    control = experiment.control.name
    effects = []
    for name in dict.fromkeys(name for name, _ in totals):
        of_control = totals.get((name, control), (0, 0))
        for variant in experiment.variants:
            if variant.name != control:
                of_other = totals.get((name, variant.name), (0, 0))
                rate, other_rate = (_PER * events / max(1, shown) for shown, events in (of_control, of_other))
                effects.append(RateEffect(name, variant.name, rate, other_rate, of_control[0], of_other[0]))
    return effects
