"""Off-policy estimates: what they find, and when they give none."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.off_policy import draw_pages, likes, listed_worths, make_pair, places_of
from training.off_policy.estimators import DrawnPlaces, OffPolicyEstimate, evaluate_off_policy


def drawn(seed: int, *, without_support: bool = False, requests: int = 4000) -> tuple[DrawnPlaces, float]:
    """Places of a pair of rankings, and the true value of the other one."""
    rng = np.random.default_rng(seed)
    pair = make_pair(rng, requests, without_support=without_support)
    pages = draw_pages(listed_worths(pair.drawn), rng)
    other = listed_worths(pair.other)
    truth = np.mean([likes(pair, draw_pages(other, rng), rng).sum(axis=1).mean() for _ in range(4)])
    return places_of(pair, pages, likes(pair, pages, rng)), float(truth)


def contains(estimate: OffPolicyEstimate | None, value: float) -> bool:
    assert estimate is not None
    return estimate.low <= value <= estimate.high


def test_both_estimates_find_the_value_of_another_ranking() -> None:
    places, truth = drawn(1)

    found = evaluate_off_policy(places, np.random.default_rng(0))

    assert found.rejected is None
    assert contains(found.snips, truth)
    assert contains(found.doubly_robust, truth)


def test_the_ranking_that_drew_the_pages_has_the_value_of_the_pages() -> None:
    places, _ = drawn(1)

    itself = evaluate_off_policy(replace(places, target=places.logged), np.random.default_rng(0))

    assert itself.snips is not None
    assert itself.snips.value == pytest.approx(places.reward.sum(axis=1).mean())
    assert itself.effective_users > 0.8 * itself.users
    assert itself.unsupported == pytest.approx(0.0)


def test_a_ranking_of_other_posts_is_rejected() -> None:
    places, _ = drawn(1, without_support=True)

    found = evaluate_off_policy(places, np.random.default_rng(0))

    assert (found.snips, found.doubly_robust) == (None, None)
    assert found.rejected is not None
    assert "without support, more than 5%" in found.rejected


def test_few_users_are_rejected() -> None:
    places, _ = drawn(1, requests=1000)

    found = evaluate_off_policy(places, np.random.default_rng(0))

    assert found.users < 200
    assert found.rejected is not None
    assert "effective users, fewer than 200" in found.rejected


def test_pages_may_end_before_the_last_place() -> None:
    places, _ = drawn(2)
    is_place = places.is_place.copy()
    is_place[::2, 5:] = False
    short = replace(places, is_place=is_place, reward=np.where(is_place, places.reward, 0.0))

    itself = evaluate_off_policy(replace(short, target=short.logged), np.random.default_rng(0))

    assert itself.snips is not None
    assert itself.doubly_robust is not None
    assert itself.snips.value == pytest.approx(short.reward.sum(axis=1).mean())
    assert itself.doubly_robust.value == pytest.approx(itself.snips.value, rel=0.05)
