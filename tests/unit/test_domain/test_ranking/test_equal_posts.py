"""Posts with equal inputs have equal scores, wherever their rows are: replicas have other rows."""

import numpy as np
import pytest

from app.domain.ranking.choice_model import UNCALIBRATED, ChoiceModel
from app.domain.ranking.similar_posts import text_similarities

RANDOM = np.random.default_rng(1)
N_INPUTS, N_UNITS, N_NUMBERS = 41, 8, 64
MODEL = ChoiceModel(
    names=tuple(f"input {number}" for number in range(N_INPUTS)),
    mean=RANDOM.standard_normal(N_INPUTS),
    scale=np.ones(N_INPUTS),
    linear=RANDOM.standard_normal(N_INPUTS),
    hidden=RANDOM.standard_normal((N_INPUTS, N_UNITS)),
    bias=RANDOM.standard_normal(N_UNITS),
    output=RANDOM.standard_normal(N_UNITS),
    calibration=UNCALIBRATED,
)


@pytest.mark.parametrize("n_posts", [2, 7, 50, 151, 400, 1003])
def test_posts_with_equal_inputs_have_equal_utilities(n_posts: int) -> None:
    inputs = RANDOM.standard_normal((N_INPUTS, 1)).astype(np.float32).repeat(n_posts, axis=1)

    assert len(np.unique(MODEL.utilities(inputs))) == 1


@pytest.mark.parametrize("n_posts", [2, 7, 50, 151, 400, 1003])
def test_posts_with_equal_texts_are_equally_similar(n_posts: int) -> None:
    first, second = RANDOM.standard_normal((2, N_NUMBERS)).astype(np.float32)

    assert len(np.unique(text_similarities(np.tile(first / 8, (n_posts, 1)), second / 8))) == 1
