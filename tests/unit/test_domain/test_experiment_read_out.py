"""The read-out of an experiment: which users are in it, and what it says about each variant."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from app.domain.experiments.read_out import ReadOut, plan, read_out
from app.domain.experiments.user_counts import UserCounts
from tests.support.experiments import an_experiment

EXPERIMENT = replace(an_experiment(), guardrails=("hide_post",))
START = np.datetime64("2026-12-01")
TODAY = date(2026, 12, 22)


def counts(
    users: int = 8000,
    *,
    likes: tuple[float, float] = (1.0, 1.0),
    hides: tuple[float, float] = (0.01, 0.01),
    share: float = 0.5,
    days: int = 14,
) -> UserCounts:
    """Users who came over some days. `likes` a user and `hides` a post are those of (control, other)."""
    rng = np.random.default_rng(1)
    is_other = (rng.random(users) < share).astype(int)
    posts = rng.integers(20, 200, users).astype(np.float64)
    activity = rng.gamma(1.0, 1.0, users)
    return UserCounts(
        np.array(["control", "other"])[is_other],
        np.sort(START + rng.integers(0, days, users)),
        rng.poisson(activity).astype(np.float64),
        {
            "like": rng.poisson(activity * np.array(likes)[is_other]).astype(np.float64),
            "post": posts,
            "hide_post": rng.poisson(posts * np.array(hides)[is_other]).astype(np.float64),
        },
        mixed=3,
    )


def report(given: UserCounts, today: date = TODAY) -> ReadOut:
    return read_out(EXPERIMENT, given, today)


def test_a_variant_that_users_like_more_is_better() -> None:
    found = report(counts(likes=(1.0, 1.3)))

    [primary] = found.primary
    assert (primary.metric, primary.variant) == ("like", "other")
    assert primary.verdict == "better than the control"
    assert primary.low is not None
    assert primary.high is not None
    assert 0 < primary.low < 0.3 < primary.high
    assert found.mixed_users == 3
    assert not found.lost_users
    assert report(counts(likes=(1.3, 1.0))).primary[0].verdict == "worse than the control"


def test_without_a_difference_there_is_not_enough_data_and_an_estimate_of_days() -> None:
    [primary] = report(counts(likes=(1.0, 1.03))).primary

    assert primary.verdict.startswith("not enough data yet, about ")
    assert primary.verdict.endswith(" more days if the difference stays as it is")


def test_a_guardrail_that_is_clearly_worse_asks_to_switch_the_variant_off() -> None:
    [worse] = report(counts(hides=(0.01, 0.02))).guardrails
    [same] = report(counts()).guardrails

    assert worse.verdict == "worse than the control: switch the variant off"
    assert worse.control == pytest.approx(10, rel=0.1)
    assert worse.other == pytest.approx(20, rel=0.1)
    assert same.verdict == "no difference is known"


def test_only_users_whose_window_has_ended_are_in_the_figures() -> None:
    given = counts()
    found = report(given, date(2026, 12, 11))
    complete = (given.first <= np.datetime64("2026-12-04")).sum()

    assert sum(found.users.values()) == 8000
    assert sum(found.complete_users.values()) == complete
    assert sum(report(given).complete_users.values()) == 8000


@pytest.mark.parametrize("users", [0, 1, 300])
def test_with_few_users_there_is_no_interval(users: int) -> None:
    found = report(counts(users))

    assert [one.low for one in (*found.primary, *found.guardrails)] == [None, None]
    assert all("each variant needs 200 users" in one.verdict for one in (*found.primary, *found.guardrails))


def test_users_that_one_variant_loses_are_noticed() -> None:
    found = report(counts(20_000, share=0.46))

    assert found.lost_users
    assert found.sample_ratio_p_value < 1e-6


def test_a_plan_takes_four_times_the_users_for_half_the_effect() -> None:
    given = counts()
    plans = [plan(EXPERIMENT, given.counts["like"], given.before, effect) for effect in (0.1, 0.05)]

    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].smallest_effect == pytest.approx(0.1, rel=0.1)
    assert plans[1].users == pytest.approx(4 * plans[0].users, rel=0.01)
    assert plans[1].days > plans[0].days > EXPERIMENT.window_days
    assert plan(EXPERIMENT, np.zeros(50), np.zeros(50), 0.1) is None
