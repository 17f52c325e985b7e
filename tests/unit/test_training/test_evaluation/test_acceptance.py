"""The choice of the ranking that is published."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation.acceptance import (
    SELECTABLE,
    Comparison,
    compare,
    rejection_reasons,
    select_ranking,
)
from training.evaluation.metrics import Estimate, bootstrap, widened

LAST = 99  # a rank that counts nothing


def ranks(n: int, **of_ranking) -> dict[str, np.ndarray]:
    """Ranks (n,) of every ranking: the given ones, one number for all requests or a row of them, else the last."""
    return {name: np.broadcast_to(of_ranking.get(name, LAST), n).astype(np.int64) for name in SELECTABLE}


@pytest.mark.parametrize("best", [name for name in SELECTABLE if name != "learned"])
def test_the_best_simple_ranking_by_mean_is_the_default(best):
    given_ranks = ranks(60, formula=4, trending_6h=4, newest=4, learned=4) | {best: np.full(60, 3)}

    ranking, reason = select_ranking(given_ranks, np.arange(60))

    assert ranking == best
    assert f"best simple ranking {best} 0.5000" in reason


@pytest.mark.parametrize("n", [12, 40, 499, 500, 1000])
def test_a_learned_ranking_that_is_clearly_better_serves_however_few_requests_there_are(n):
    learned = np.where(np.arange(n) % 3 == 0, 4, 1)  # better on most requests, equal on the others

    ranking, reason = select_ranking(ranks(n, trending_1d=4, learned=learned), np.arange(n))

    assert ranking == "learned"
    assert reason.startswith(
        f"NDCG@10 on {n} held-out requests: best simple ranking trending_1d 0.4307, learned "
    )


@pytest.mark.parametrize(("n", "selected"), [(12, "newest"), (1000, "learned")])
def test_a_small_gain_needs_many_users(n, selected):
    learned = np.where(np.arange(n) % 2 == 0, 3, 5)  # as often better as worse, and better on average

    ranking, reason = select_ranking(ranks(n, newest=4, learned=learned), np.arange(n))

    assert (ranking, "learned 0.4434" in reason) == (selected, True)


def test_many_requests_of_one_user_say_nothing_about_others():
    ranking, reason = select_ranking(ranks(1000, newest=4, learned=1), np.zeros(1000, int))

    assert ranking == "newest"
    assert reason.endswith("difference +0.5693 (no interval for one user)")


def test_three_users_who_differ_are_too_few_and_three_who_agree_are_enough():
    users = np.repeat(np.arange(3), 200)
    agree = ranks(600, newest=4, learned=1)
    differ = ranks(600, newest=4, learned=np.array([1, 2, 3])[users])

    assert select_ranking(differ, users)[0] == "newest"  # though each of the three gains
    assert select_ranking(agree, users)[0] == "learned"


def test_a_dominant_user_cannot_decide_against_all_others():
    users = np.concatenate([np.zeros(900, int), np.arange(1, 101)])
    learned = np.where(users == 0, 1, 9)  # much better for one user, worse for a hundred

    assert select_ranking(ranks(1000, newest=4, learned=learned), users)[0] == "newest"


def test_without_a_request_the_formula_is_the_default():
    assert select_ranking(ranks(0), np.empty(0, int)) == (
        "formula",
        "no held-out request: the formula is the default",
    )


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=30)
)
def test_a_selected_ranking_is_never_rejected_for_the_other_one(rows):
    users, newest, learned = np.array(rows).T
    given_ranks = ranks(len(rows), newest=newest, learned=learned)

    selected, _ = select_ranking(given_ranks, users)

    for active in SELECTABLE:
        comparison = compare(given_ranks[selected], given_ranks[active], users)
        assert rejection_reasons({"against_active": comparison}) == []


@pytest.mark.parametrize(
    ("low", "high", "rejected"),
    [(-0.4, 0.3, False), (-0.01, -0.001, False), (0.0, 0.0, False), (-0.1, -0.01, True)],
)
def test_a_model_is_rejected_if_it_is_worse_than_the_active_one_not_for_a_lack_of_requests(
    low, high, rejected
):
    comparison = Comparison((low + high) / 2, low, high, 80)

    assert bool(rejection_reasons({"against_active": comparison})) is rejected


def test_a_comparison_without_an_interval_survives_the_registry_and_rejects_nothing():
    of_one_user = compare(np.array([1, 2]), np.array([3, 3]), np.zeros(2, int))

    read = Comparison.from_json({"gain": of_one_user.gain, "low": None, "high": None, "n": 2})

    assert str(read) == str(of_one_user) == "+63.1% (no interval for one user, 2 held-out requests)"
    assert rejection_reasons({"against_random": read, "against_active": read}) == []


@pytest.mark.parametrize(("n_users", "factor"), [(3, 2.689), (10, 1.217), (100, 1.017), (10_000, 1.0002)])
def test_intervals_of_few_users_are_wider(n_users, factor):
    wide = widened(Estimate(1.0, 0.9, 1.2, 500), n_users)

    assert (wide.low, wide.high) == pytest.approx((1 - 0.1 * factor, 1 + 0.2 * factor), abs=1e-4)
    assert (wide.mean, wide.n) == (1.0, 500)


def test_a_widened_interval_of_five_users_holds_the_truth_about_as_often_as_it_says():
    random, held, narrow = np.random.default_rng(4), 0, 0
    for _ in range(100):
        estimate = bootstrap(random.normal(size=5), np.arange(5))
        wide = widened(estimate, 5)
        held += wide.low <= 0 <= wide.high
        narrow += estimate.low <= 0 <= estimate.high

    assert held > 89 > narrow
