"""The probation of promoted weights: who keeps the version of before, and what rolls the promoted one back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.domain.entities.model_record import ModelRecord
from app.domain.experiments.probation import (
    NEW,
    OLD,
    ProbationCounts,
    compare,
    kept_version,
    probation_config,
    probation_of,
    targets_of,
)
from app.domain.ids import user_uuid
from benchmarks.probation import minutes_to_rollback

PROMOTED_AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
ENDS_AT = PROMOTED_AT + timedelta(hours=4)
RECORD = ModelRecord(
    "v7", "model.pkl", PROMOTED_AT.isoformat(), "active", "7" * 64, 1, {}, {"trained_until": 1.0}
)
PROMOTED = replace(RECORD, config={"probation": probation_config("v6", ENDS_AT, ["like", "share"])})
PROBATION = probation_of(PROMOTED)


def counts(users: int, rates: dict[str, float], seed: int = 0) -> ProbationCounts:
    """`users` with 10 to 60 posts, who choose with these probabilities, times how active they are."""
    random = np.random.default_rng(seed)
    variants = np.where(random.random(users) < 0.1, OLD, NEW)
    posts = random.integers(10, 60, users).astype(np.float64)
    expected = posts * np.where(variants == OLD, rates[OLD], rates[NEW]) * random.gamma(1.0, 1.0, users)
    return ProbationCounts(variants, posts, random.poisson(expected).astype(np.float64))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"probation": "v6"},
        {"probation": {"until": ENDS_AT.isoformat()}},
        {"probation": probation_config("v6", ENDS_AT, ["like"]) | {"until": "soon"}},
        {"probation": probation_config("v6", ENDS_AT.replace(tzinfo=None), ["like"])},
    ],
)
def test_a_version_without_a_probation_has_none(config: dict[str, Any]) -> None:
    assert probation_of(replace(RECORD, config=config)) is None


def test_a_tenth_of_the_users_keeps_the_version_of_before_until_the_end() -> None:
    assert PROBATION is not None
    variants = [PROBATION.variant_of(user_uuid(f"u{number}")) for number in range(5000)]
    old = [one for one in variants if one is not None and one.name == OLD]

    assert PROBATION.name == "probation-v7"
    assert 0.08 < len(old) / len(variants) < 0.12
    assert old[0].model == kept_version(PROBATION) == "v6"
    assert PROBATION.control.name == NEW
    assert PROBATION.has_new_lists_at(PROMOTED_AT.timestamp())
    assert not PROBATION.has_new_lists_at(ENDS_AT.timestamp())
    assert targets_of(PROMOTED) == ["like", "share"]


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        pytest.param(0.02, 0.05, "better", id="users choose less"),
        pytest.param(0.05, 0.02, "worse", id="users choose more"),
        pytest.param(0.05, 0.05, "unknown", id="equal"),
    ],
)
def test_the_version_of_before_is_better_if_users_choose_more_with_it(
    new: float, old: float, outcome: str
) -> None:
    assert PROBATION is not None
    found = compare(PROBATION, counts(6000, {NEW: new, OLD: old}))

    assert found.outcome == outcome
    assert (found.metric, found.variant, found.unit) == ("choice", OLD, "1,000 posts")


def test_with_few_users_there_is_no_interval() -> None:
    assert PROBATION is not None
    found = compare(PROBATION, counts(1000, {NEW: 0.001, OLD: 0.5}))

    assert found.outcome == "too_few"


def test_one_account_with_thousands_of_events_decides_nothing() -> None:
    assert PROBATION is not None
    fair = counts(6000, {NEW: 0.05, OLD: 0.05})
    account = int(np.flatnonzero(fair.variants == OLD)[0])
    fair.choices[account] = 100_000

    assert compare(PROBATION, fair).outcome == "unknown"


def test_a_large_loss_is_found_within_the_first_hours() -> None:
    assert PROBATION is not None
    minutes = minutes_to_rollback(PROBATION, 20_000, 0.5, seed=1)

    assert minutes is not None
    assert minutes <= 120


@pytest.mark.slow
@pytest.mark.parametrize("users", [4_000, 12_000])
def test_equal_weights_are_rolled_back_in_less_than_three_of_a_hundred_probations(users: int) -> None:
    assert PROBATION is not None
    found = [minutes_to_rollback(PROBATION, users, 0.0, seed) for seed in range(200)]

    assert sum(minutes is not None for minutes in found) <= 0.03 * len(found)
