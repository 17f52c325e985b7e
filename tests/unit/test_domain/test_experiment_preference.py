"""The preference between the rankings of an interleaving: whose users it is of, and what it says."""

from dataclasses import replace
from datetime import date

from app.domain.experiments.preference import Preference, preference
from tests.support.experiments import an_interleaving, user_credits


def found(of_control: float, of_variant: float, *, users: int = 2000, today: int = 22) -> Preference:
    one = replace(an_interleaving(), planned_users=1000)
    return preference(one, user_credits(of_control, of_variant, users), date(2026, 12, today))


def test_users_who_like_more_of_one_ranking_prefer_it() -> None:
    better, worse = found(1.0, 1.2), found(1.2, 1.0)

    assert better.low is not None
    assert better.high is not None
    assert 0 < better.low < 0.2 < better.high
    assert (better.verdict, worse.verdict) == ("users prefer other", "users prefer control")
    assert better.preference == (better.variant_events - better.control_events) / 2000
    assert (better.users, better.complete_users, better.pages) == (2000, 2000, 6000)


def test_equal_rankings_have_no_preference() -> None:
    assert found(1.0, 1.0).verdict == "no preference is known yet"
    assert found(0.0, 0.0).verdict == "no preference is known yet"


def test_only_users_whose_window_has_ended_are_in_the_figures() -> None:
    early = found(1.0, 1.2, today=9)

    assert 0 < early.complete_users < early.users == 2000
    assert found(1.0, 1.2, users=199).low is None
    assert found(1.0, 1.2, today=2).verdict.startswith("not enough data yet")
