"""The statistics of experiments hold at every look: simulations of experiments in which nothing differs, and in which
users of one variant are lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from app.domain.experiments.comparison import compare_guardrail
from app.domain.experiments.confidence_sequence import (
    Difference,
    Mean,
    boundary,
    difference,
    users_needed,
    users_until,
)
from app.domain.experiments.covariate import adjusted
from app.domain.experiments.sample_ratio import LEVEL, sample_ratio_p_value
from app.domain.experiments.user_counts import UserCounts
from tests.support.experiments import an_experiment

DAYS = 28
Values = NDArray[np.float64]


def skewed_counts(rng: np.random.Generator, users: int) -> tuple[Values, Values]:
    """Events of users before and in an experiment: most have none or few, some have hundreds."""
    activity = rng.lognormal(0.0, 1.5, users)
    before = rng.poisson(activity).astype(np.float64)
    before[rng.random(users) < 0.3] = np.nan  # users without a history
    return before, rng.poisson(activity).astype(np.float64)


def looks(
    rng: np.random.Generator, users_per_day: int, effect: float = 0.0
) -> tuple[list[Difference], float]:
    """The differences at the end of each day, and half the width of the interval of one look at the end."""
    users = DAYS * users_per_day
    before, values = skewed_counts(rng, users)
    is_other = rng.random(users) < 0.5
    values[is_other] += effect
    found = []
    for day in range(1, DAYS + 1):
        some = slice(0, day * users_per_day)
        means = means_of(adjusted(values[some], before[some]), is_other[some])
        found.append(difference(*means, users))
    control, other = means
    error = np.sqrt(control.variance / control.users + other.variance / other.users)
    return found, float(norm.ppf(0.975) * error)


def means_of(values: Values, is_other: NDArray[np.bool_]) -> tuple[Mean, Mean]:
    return Mean.of(values[~is_other]), Mean.of(values[is_other])


def check_nothing_differs(simulations: int, users_per_day: int, limit: float) -> float:
    rng = np.random.default_rng(11)
    wrong, widths = 0, []
    for _ in range(simulations):
        found, fixed = looks(rng, users_per_day)
        wrong += any(one.excludes_zero for one in found)
        widths.append(found[-1].half_width / fixed)
    assert wrong / simulations <= limit
    assert max(widths) <= 1.8
    return wrong / simulations


def test_when_nothing_differs_an_interval_seldom_ever_excludes_zero() -> None:
    check_nothing_differs(30, 100, 0.1)


@pytest.mark.slow
def test_in_a_thousand_experiments_without_a_difference_at_most_one_in_sixteen_shows_one() -> None:
    check_nothing_differs(1000, 400, 0.064)


def test_a_difference_is_found_and_its_interval_has_the_true_value() -> None:
    rng = np.random.default_rng(5)
    results = [looks(rng, 200, effect=1.5)[0][-1] for _ in range(10)]

    assert all(one.excludes_zero for one in results)
    assert all(one.low < 1.5 < one.high for one in results)


def test_the_interval_is_narrowest_in_standard_errors_at_its_planned_end() -> None:
    at = [boundary(users, 10_000) for users in (100, 1000, 3000, 10_000, 100_000, 1_000_000)]

    assert at[:4] == sorted(at[:4], reverse=True)
    assert at[3:] == sorted(at[3:])
    assert at[3] / norm.ppf(0.975) == pytest.approx(1.55, abs=0.01)


def test_a_plan_finds_its_effect_with_its_power() -> None:
    rng = np.random.default_rng(3)
    variance, effect = 4.0, 0.2
    users = users_needed(variance, effect, share=0.5)
    found = 0
    for _ in range(400):
        control, other = (
            Mean(mean, variance, users // 2) for mean in rng.normal(0, 2 / np.sqrt(users / 2), 2)
        )
        found += difference(control, Mean(other.value + effect, variance, other.users), users).low > 0

    assert 0.74 <= found / 400 <= 0.86
    assert users_needed(variance, effect / 2, share=0.5) == pytest.approx(4 * users, rel=0.001)


def test_the_users_until_a_difference_is_known_are_the_fewest() -> None:
    control, other = Mean(1.0, 4.0, 1000), Mean(1.1, 4.0, 1000)
    users = users_until(control, other, 10_000)

    assert users is not None
    known = [
        difference(Mean(1.0, 4.0, half), Mean(1.1, 4.0, half), 10_000).low > 0
        for half in (users // 2 - 5, users // 2 + 5)
    ]
    assert known == [False, True]
    assert users_until(control, control, 10_000) is None


@given(st.integers(2, 50), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_the_adjustment_keeps_the_mean_and_never_adds_variance(users: int, seed: int) -> None:
    before, values = skewed_counts(np.random.default_rng(seed), users)

    result = adjusted(values, before)

    assert result.mean() == pytest.approx(values.mean(), abs=1e-6)
    assert result.var() <= values.var() + 1e-6


def test_the_adjustment_removes_what_the_past_explains() -> None:
    before, values = skewed_counts(np.random.default_rng(1), 20_000)

    assert adjusted(values, before).var() < 0.7 * values.var()
    assert np.array_equal(adjusted(values, np.full(20_000, np.nan)), values)


def test_the_error_of_a_ratio_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(2)
    samples = []
    for _ in range(500):
        shown = rng.lognormal(3, 1, 400)
        samples.append(Mean.of_ratio(rng.poisson(0.05 * shown).astype(np.float64), shown))

    predicted = np.mean([np.sqrt(one.variance / one.users) for one in samples])
    assert np.std([one.value for one in samples]) == pytest.approx(predicted, rel=0.15)
    assert np.isnan(Mean.of_ratio(np.zeros(3), np.zeros(3)).value)


def alarm(rng: np.random.Generator, share: float, users: int = 100_000, days: int = 28) -> bool:
    """Whether an experiment with shares of a half ever raises an alarm, looked at once a day."""
    others = rng.binomial(users // days, share, days).cumsum()
    totals = np.arange(1, days + 1) * (users // days)
    return any(
        sample_ratio_p_value([total - other, other], [1, 1]) < LEVEL
        for total, other in zip(totals.tolist(), others.tolist(), strict=True)
    )


def check_sample_ratio(simulations: int, limit: float) -> tuple[float, float]:
    rng = np.random.default_rng(4)
    found = float(np.mean([alarm(rng, 0.51) for _ in range(simulations)]))
    false = float(np.mean([alarm(rng, 0.5) for _ in range(simulations)]))
    assert found >= 0.9
    assert false <= limit
    return found, false


def test_a_lost_fiftieth_of_a_variant_is_found_by_a_hundred_thousand_users() -> None:
    check_sample_ratio(60, 0.04)


@pytest.mark.slow
def test_a_thousand_experiments_with_lost_users_and_a_thousand_without() -> None:
    check_sample_ratio(1000, 0.01)


def is_stopped(rng: np.random.Generator, users: int) -> bool:
    """Whether rare actions of skewed users, the same in both variants, ever stop one in 35 daily looks."""
    first = np.sort(rng.integers(0, DAYS, users))
    variants = np.where(rng.random(users) < 0.5, "control", "other")
    posts = rng.lognormal(3, 1, users).round() + 1
    expected = 0.001 * rng.gamma(1 / 3, 3, users) * posts
    of_day = rng.poisson(expected).astype(np.float64)
    windows = {1: (of_day, posts), 7: (of_day + rng.poisson(3 * expected), 4 * posts)}
    for days, (actions, shown) in windows.items():
        values = {"hide_post": actions, "post": shown}
        counts = UserCounts(days, variants, first.astype("datetime64[D]"), shown, values, 0)
        for today in range(DAYS + 7):
            is_complete = first + days <= today
            pair = is_complete & (variants == "control"), is_complete & (variants == "other")
            found = compare_guardrail(an_experiment(), "other", "hide_post", counts, *pair, 0.025)
            if found.outcome == "worse":
                return True
    return False


def check_stops(simulations: int, limit: float) -> float:
    rng = np.random.default_rng(8)
    share = float(np.mean([is_stopped(rng, 5000) for _ in range(simulations)]))
    assert share <= limit
    return share


def test_rare_actions_seldom_stop_a_variant_that_does_no_harm() -> None:
    check_stops(20, 0.05)


@pytest.mark.slow
def test_in_a_thousand_experiments_at_most_one_in_forty_harmless_variants_is_stopped() -> None:
    check_stops(1000, 0.025)
