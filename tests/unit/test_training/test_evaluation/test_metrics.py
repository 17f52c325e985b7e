"""Figures against independent implementations."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from training.evaluation.metrics import bootstrap, bootstrap_rows, hit_of_rank, ndcg_of_rank, reciprocal_rank
from training.evaluation.summary import gini


@given(st.integers(1, 40), st.integers(0, 39), st.integers(1, 15))
def test_ndcg_of_a_rank_is_scikit_learns_ndcg_of_a_list_with_one_relevant_post(size, place, k):
    size = max(size, 2)
    place %= size
    relevant = np.zeros((1, size))
    relevant[0, place] = 1.0
    scores = -np.arange(size, dtype=float)[None]

    found = ndcg_of_rank(np.array([place + 1]), k)[0]

    assert found == pytest.approx(ndcg_score(relevant, scores, k=k))


def test_hit_and_reciprocal_rank_count_from_one():
    ranks = np.array([1, 2, 10, 11])

    assert hit_of_rank(ranks).tolist() == [1, 1, 1, 0]
    assert reciprocal_rank(ranks).tolist() == [1, 0.5, 0.1, 1 / 11]


def test_the_interval_comes_from_users_not_from_requests():
    random = np.random.default_rng(0)
    value_of_user = random.random(40)
    users = np.repeat(np.arange(40), 50)
    values = value_of_user[users]  # all requests of a user have the same value

    many, one_each = bootstrap(values, users), bootstrap(value_of_user, np.arange(40))

    assert many.high - many.low == pytest.approx(one_each.high - one_each.low, rel=1e-9)
    assert bootstrap(values, np.arange(len(values))).high - many.mean < (many.high - many.mean) / 3


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    held = 0
    for _ in range(120):
        users = np.repeat(np.arange(60), random.integers(1, 6, 60))
        figure = bootstrap(random.random(60)[users] * 0.5 + random.random(len(users)) * 0.5, users)
        held += figure.low <= 0.5 <= figure.high

    assert 0.87 <= held / 120 <= 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40))
def test_figures_made_together_are_those_made_alone(rows):
    values, users = np.array([v for v, _ in rows]), np.array([u for _, u in rows])

    together = bootstrap_rows(np.stack([1 - values, values]), users)

    assert vars_of(together[1]) == pytest.approx(vars_of(bootstrap(values, users)), nan_ok=True)
    if len(set(users)) > 1:
        assert together[1].low <= together[1].mean + 1e-12
        assert together[1].mean <= together[1].high + 1e-12
    else:
        assert math.isnan(together[1].low)
        assert math.isnan(together[1].high)


def vars_of(figure):
    return dataclasses.astuple(figure)


def test_no_request_gives_no_figure_rather_than_a_nought():
    figure = bootstrap(np.empty(0), np.empty(0, int))

    assert math.isnan(figure.mean)
    assert figure.n == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(counts):
    counts = np.array(counts)
    total = counts.sum()
    differences = np.abs(counts[:, None] - counts[None]).sum()

    expected = differences / (2 * len(counts) * total) if total else 0.0

    assert gini(counts) == pytest.approx(expected)
