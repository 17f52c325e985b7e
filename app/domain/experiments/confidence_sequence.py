"""Intervals of a difference that hold at every look, however often somebody looks.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central
limit theory and asymptotic confidence sequences", theorem 2.2. Users are the units.
"""

from dataclasses import dataclass
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.05
"""Probability that a sequence of intervals ever excludes the true value."""
MIN_USERS: Final = 200
"""Users of each variant below which there is no interval: the central limit has not set in."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over users with the variance of one user's value."""

    value: float
    variance: float
    users: int

    @classmethod
    def of(cls, values: Values) -> "Mean":
        """The mean of at least two values."""
        return cls(float(values.mean()), float(values.var(ddof=1)), len(values))

    @classmethod
    def of_ratio(cls, numerator: Values, denominator: Values) -> "Mean":
        """The ratio of two sums over users; its variance is that of the linearised ratio (delta method)."""
        total = denominator.mean()
        if total <= 0:
            return cls(float("nan"), float("nan"), len(numerator))
        ratio = numerator.mean() / total
        linear = (numerator - ratio * denominator) / total
        return cls(float(ratio), float(linear.var(ddof=1)), len(numerator))


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference, other - control, and half the width of its interval."""

    value: float
    half_width: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.value - self.half_width

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.value + self.half_width

    @property
    def excludes_zero(self) -> bool:
        """True if the sign of the difference is known."""
        return self.low > 0 or self.high < 0


def difference(control: Mean, other: Mean, planned_users: int, level: float = LEVEL) -> Difference:
    """The difference with an interval that holds at all looks; it is narrowest at `planned_users` of both variants."""
    variance = control.variance / control.users + other.variance / other.users
    factor = boundary(control.users + other.users, planned_users, level)
    return Difference(other.value - control.value, sqrt(variance) * factor)


def interval(mean: Mean, planned_users: int, level: float = LEVEL) -> Difference:
    """The mean of users' own differences with an interval that holds at all looks."""
    return Difference(
        mean.value, sqrt(mean.variance / mean.users) * boundary(mean.users, planned_users, level)
    )


def boundary(users: int, planned_users: int, level: float = LEVEL) -> float:
    """Half the width of the interval after `users`, in standard errors; 1.96 would hold at one look alone."""
    scale = users * _rho_squared(planned_users, level)
    return sqrt(2 * (scale + 1) / scale * log(sqrt(scale + 1) / level))


def users_until(control: Mean, other: Mean, planned_users: int, level: float = LEVEL) -> int | None:
    """Users of both variants until the interval excludes 0, if means and variances stay; None for equal means."""
    effect, users = abs(other.value - control.value), control.users + other.users
    if effect == 0:
        return None
    by_share = (control.variance / control.users + other.variance / other.users) * users
    low, high = users, users
    while boundary(high, planned_users, level) * sqrt(by_share / high) > effect:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = boundary(middle, planned_users, level) * sqrt(by_share / middle) <= effect
        low, high = (low, middle) if is_enough else (middle, high)
    return high


def users_needed(
    variance: float, effect: float, share: float, level: float = LEVEL, power: float = 0.8
) -> int:
    """Users of both variants until an interval excludes 0 with probability `power`, if `effect` is the difference.

    `variance` is that of one user's value; `share` is the smaller variant's part of these users.
    """
    by_share = variance * (1 / share + 1 / (1 - share))
    # at the planned end, the boundary does not depend on the number of users
    factor = boundary(1, 1, level) + NormalDist().inv_cdf(power)
    return max(ceil(by_share * (factor / effect) ** 2), ceil(MIN_USERS / share))


def _rho_squared(planned_users: int, level: float) -> float:
    """The parameter that makes the interval narrowest after `planned_users`."""
    return (-2 * log(level) + log(-2 * log(level) + 1)) / planned_users
