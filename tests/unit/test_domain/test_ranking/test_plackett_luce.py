"""Pages that are drawn at random: the order that is drawn, and the probabilities that are stored for it."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranking.plackett_luce import LEAST_SCORE, draw_order, log_worths, place_probabilities

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


@given(scores=SCORES, temperature=st.floats(0.05, 20), seed=st.integers(0, 1000))
def test_an_order_has_each_post_once_and_a_probability_for_each_place(
    scores: np.ndarray, temperature: float, seed: int
) -> None:
    worths = log_worths(scores, temperature)

    order = draw_order(worths, np.random.default_rng(seed))
    probabilities = place_probabilities(worths[order])

    assert sorted(order) == list(range(len(scores)))
    assert (probabilities > 0).all()
    assert probabilities[-1] == pytest.approx(1.0)
    assert (probabilities <= 1 + 1e-9).all()


def test_the_probabilities_of_all_orders_add_up_to_one() -> None:
    worths = log_worths(np.array([0.9, 0.5, 0.1, 0.0]), 0.7)

    total = sum(place_probabilities(worths[list(order)]).prod() for order in permutations(range(4)))

    assert total == pytest.approx(1.0)


def test_orders_are_drawn_as_often_as_their_probability_says() -> None:
    worths, rng = log_worths(np.array([1.0, 0.5, 0.25]), 1.0), np.random.default_rng(3)

    drawn = [tuple(draw_order(worths, rng)) for _ in range(4000)]

    for order in permutations(range(3)):
        expected = place_probabilities(worths[list(order)]).prod()
        assert drawn.count(order) / 4000 == pytest.approx(expected, abs=0.03)


def test_a_worth_is_the_score_to_the_power_of_one_over_the_temperature() -> None:
    assert np.exp(log_worths(np.array([0.8, 0.2]), 0.5)).tolist() == pytest.approx([1.0, 0.0625])
    assert np.exp(log_worths(np.array([0.5, 0.0]), 1.0)).tolist() == pytest.approx([1.0, LEAST_SCORE])
    assert log_worths(np.zeros(3), 1.0).tolist() == [0.0, 0.0, 0.0]
