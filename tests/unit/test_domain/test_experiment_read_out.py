"""The read-out of an experiment: which users are in it, and what it says about each variant."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import pytest

from app.domain.experiments.read_out import ReadOut, plan, read_out, stops_due
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import UserCounts
from tests.support.experiments import an_experiment, data_of, user_counts

EXPERIMENT = replace(an_experiment(), guardrails=("hide_post",))
NAMES = ("control", "other")
TODAY = date(2026, 12, 22)


counts = partial(user_counts, 7)


def report(given: UserCounts, today: date = TODAY, stops: Sequence[Stop] = ()) -> ReadOut:
    return read_out(EXPERIMENT, data_of(given), today, stops)


def a_stop(at: datetime) -> Stop:
    return Stop(EXPERIMENT.name, EXPERIMENT.salt, "other", "hide_post", "the figures of then", at)


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


def test_a_guardrail_is_read_over_the_first_day_and_over_the_window() -> None:
    worse = report(counts(hides=(0.01, 0.02))).guardrails
    same = report(counts()).guardrails

    assert [(one.window_days, one.outcome) for one in worse] == [(1, "worse"), (7, "worse")]
    for one in worse:
        assert (one.unit, one.verdict) == ("1,000 posts", "worse than the control")
        assert one.control == pytest.approx(10, rel=0.1)
        assert one.other == pytest.approx(20, rel=0.1)
    assert [one.outcome for one in same] == ["unknown", "unknown"]


def test_actions_that_are_too_rare_give_no_interval() -> None:
    rare = report(counts(hides=(0.0, 0.00008))).guardrails

    assert [one.outcome for one in rare] == ["too_few", "too_few"]
    assert all(one.low is None and one.other > 0 for one in rare)


def test_a_variant_with_a_worse_guardrail_is_to_be_stopped_once() -> None:
    now = datetime(2026, 12, 22, 9, tzinfo=UTC)
    found = report(counts(hides=(0.01, 0.02)))
    [stop] = stops_due(EXPERIMENT, found, now)

    assert (stop.experiment, stop.salt, stop.variant, stop.metric, stop.stopped_at) == (
        EXPERIMENT.name, EXPERIMENT.salt, "other", "hide_post", now,
    )  # fmt: skip
    assert stop.reason.startswith("hide_post per 1,000 posts in the first day: other ")
    assert stops_due(EXPERIMENT, report(counts(hides=(0.01, 0.02)), stops=[stop]), now) == []
    assert stops_due(EXPERIMENT, report(counts(hides=(0.02, 0.01))), now) == []
    assert stops_due(EXPERIMENT, report(counts()), now) == []


def test_the_figures_of_a_stopped_variant_are_those_of_the_time_of_its_stop() -> None:
    given = counts(hides=(0.01, 0.02))
    stop = a_stop(datetime(2026, 12, 15, 1, tzinfo=UTC))

    stopped = report(given, stops=[stop])
    then = report(given, date(2026, 12, 15))

    assert stopped.guardrails == then.guardrails != report(given).guardrails
    assert stopped.primary == then.primary
    assert stopped.stops == [stop]


def test_a_stop_is_of_one_salt_and_never_of_the_control() -> None:
    stop = a_stop(datetime(2026, 12, 15, tzinfo=UTC))

    assert EXPERIMENT.with_stops([stop]).stopped == {"other"}
    assert replace(EXPERIMENT, salt="another").with_stops([stop]).stopped == set()
    assert EXPERIMENT.with_stops([replace(stop, variant="control")]).stopped == set()


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

    assert [one.low for one in (*found.primary, *found.guardrails)] == [None, None, None]
    assert all("each variant needs 200 users" in one.verdict for one in (*found.primary, *found.guardrails))


def test_users_that_one_variant_loses_are_noticed() -> None:
    found = report(counts(20_000, share=0.46))

    assert found.lost_users
    assert found.sample_ratio_p_value < 1e-6


def test_the_effect_of_each_day_is_over_all_users_who_had_come_by_then() -> None:
    given = counts()
    found = report(given)

    assert [one.day for one in found.days] == [date(2026, 12, day) for day in range(1, 22)]
    users = [
        ((given.first <= np.datetime64("2026-12-03")) & (given.variants == name)).sum() for name in NAMES
    ]
    third = found.days[2]
    assert third.control == pytest.approx(300 / users[0])
    assert third.other == pytest.approx(360 / users[1])
    assert third.low is not None
    assert third.high is not None
    assert third.low < third.difference < third.high
    assert found.days[-1].difference == 0
    assert report(counts(0)).days == []


def test_effects_by_position_and_by_reason_are_events_per_thousand_posts() -> None:
    found = report(counts())

    assert [one.name for one in found.positions] == [str(place) for place in range(1, 21)]
    assert (found.positions[0].control, found.positions[0].other) == (30, 60)
    assert found.positions[-1].control_shown == 11_000
    assert [(one.name, one.control_shown) for one in found.reasons] == [
        ("following", 15_000),
        ("trending", 15_000),
    ]
    assert all(one.other == 2 * one.control for one in (*found.positions, *found.reasons))


def test_a_plan_takes_four_times_the_users_for_half_the_effect() -> None:
    given = counts()
    plans = [plan(EXPERIMENT, given.counts["like"], given.before, effect) for effect in (0.1, 0.05)]

    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].smallest_effect == pytest.approx(0.1, rel=0.1)
    assert plans[1].users == pytest.approx(4 * plans[0].users, rel=0.01)
    assert plans[1].days > plans[0].days > EXPERIMENT.window_days
    assert plan(EXPERIMENT, np.zeros(50), np.zeros(50), 0.1) is None
