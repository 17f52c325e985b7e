"""Which variant is taken, on choice sets whose choices were made by a known law."""

import numpy as np
import pytest

from app.domain.ranking import user_features
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import LearningOptions, select_model

N, SIZE = 1500, 20
NAMES = user_features.names()
OPTIONS = LearningOptions(ridges=(1e-3,), units=())


def choice_sets(law) -> ChoiceSets:
    """Choices among posts of random inputs and of ages from minutes to months, by utility `law(inputs)`."""
    random = np.random.default_rng(8)
    inputs = random.normal(size=(N, SIZE, len(NAMES))).astype(np.float32)
    inputs[..., NAMES.index("age in days")] = random.exponential(30.0, (N, SIZE))
    taken = (law(inputs) + random.gumbel(size=(N, SIZE))).argmax(axis=1)
    rows = np.arange(N)
    inputs[rows, 0], inputs[rows, taken] = inputs[rows, taken].copy(), inputs[rows, 0].copy()
    return ChoiceSets(inputs, np.zeros((N, SIZE), np.float32), np.ones(N, np.float32))


def column(inputs, name):
    return inputs[..., NAMES.index(name)]


@pytest.mark.parametrize("half_life", [3.0, 100.0])
def test_where_age_is_all_that_counts_the_model_orders_posts_as_newest_does(half_life):
    learned = select_model(
        choice_sets(lambda x: -np.log(2) * column(x, "age in days") / half_life), [], OPTIONS
    )

    assert learned.variant.only == "age in days"
    inputs = np.random.default_rng(1).normal(size=(len(NAMES), 200)).astype(np.float32)
    inputs[NAMES.index("age in days")] = np.linspace(0, 60, 200)
    assert (np.diff(learned.model.utilities(inputs)) < 0).all()


def test_where_a_second_signal_counts_the_blend_is_taken_and_hears_it():
    def law(inputs):
        return -column(inputs, "age in days") / 10 + column(inputs, "affinity author")

    learned = select_model(choice_sets(law), [], OPTIONS)

    assert learned.variant.only is None
    weights = learned.model.linear / learned.model.scale
    assert weights[NAMES.index("affinity author")] == pytest.approx(1.0, abs=0.15)


def test_tried_specs_are_returned_with_their_likelihood_and_excluded_signals_are_not_tried():
    options = LearningOptions(ridges=(1e-3,), units=(), without=("age in days",))

    learned = select_model(choice_sets(lambda x: column(x, "gravity")), [], options)

    assert learned.variant.only == "gravity"
    assert max(learned.tried, key=learned.tried.__getitem__) in ("gravity alone", "ridge 0.001, 0 units")
    assert not any(name.startswith("age") for name in learned.tried)
    assert learned.model.linear[NAMES.index("age")] == 0
