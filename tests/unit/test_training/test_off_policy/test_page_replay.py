"""What another ranking makes of the posts of a page."""

import numpy as np
import pytest

from app.domain.ranking.plackett_luce import LEAST_SCORE, log_worths, place_probabilities
from training.off_policy.page_replay import target_places

LISTED = np.array([7, 3, 9, 4])
WORTHS = log_worths(np.array([1.0, 0.5, 0.25, 0.25]), 1.0)


def test_the_places_have_the_probabilities_of_the_ranking() -> None:
    probability, inputs, _ = target_places(LISTED, WORTHS, np.array([9, 7, 3]), 1.0)

    assert probability.tolist() == pytest.approx(place_probabilities(WORTHS[[2, 0, 1, 3]])[:3].tolist())
    assert inputs[:, 0].tolist() == WORTHS[[2, 0, 1]].tolist()


def test_a_post_that_the_ranking_does_not_list_has_no_probability_and_leaves_the_others_theirs() -> None:
    probability, inputs, expected = target_places(LISTED, WORTHS, np.array([5, 7, -1]), 1.0)

    assert probability.tolist() == pytest.approx([0.0, 0.5, 0.0])
    assert inputs[0].tolist() == [np.log(LEAST_SCORE), np.log(LEAST_SCORE) ** 2]
    assert expected[0, 0] == pytest.approx(0.25 * np.log(0.5) + 0.25 * np.log(0.25))


def test_an_empty_list_has_no_places() -> None:
    probability, _, expected = target_places(np.empty(0, np.intp), np.empty(0), np.array([5]), 1.0)

    assert probability.tolist() == [0.0]
    assert expected.tolist() == [[0.0, 0.0]]
