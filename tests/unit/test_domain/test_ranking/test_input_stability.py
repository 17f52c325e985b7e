"""The population stability index says how far the inputs of rankings are from those of training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.ranking.input_stability import (
    BINS,
    MIN_SAMPLES,
    RANKINGS_BETWEEN_SAMPLES,
    InputDistribution,
    InputStability,
    bin_counts,
)

inputs_of_candidates = arrays(
    np.float32, st.tuples(st.integers(1, 3), st.integers(1, 60)), elements=st.integers(-5, 5)
)


def normal(mean: float, seed: int) -> np.ndarray:
    """(2, 4000) inputs; the second has few values, one of which most candidates have."""
    random = np.random.default_rng(seed)
    few = random.choice([0.0, np.log1p(1), np.log1p(2)], 4000, p=[0.85, 0.1, 0.05])
    return np.stack([random.normal(mean, 1, 4000), few]).astype(np.float32)


def record(stability: InputStability, inputs: np.ndarray, samples: int) -> None:
    for _ in range(samples * RANKINGS_BETWEEN_SAMPLES):
        stability.record(inputs)


@given(inputs=inputs_of_candidates)
def test_the_bins_hold_each_candidate_once_and_nothing_changed_in_training_itself(inputs):
    trained = InputDistribution.of([inputs])

    counts = bin_counts(trained.edges, inputs)

    assert counts.shape == (len(inputs), BINS)
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) == inputs.shape[1]).all()
    assert np.allclose(trained.shares.sum(axis=1), 1)
    assert trained.index(counts) == pytest.approx(0)


@given(then=inputs_of_candidates, data=st.data())
def test_no_index_is_negative(then, data):
    now = data.draw(arrays(np.float32, (len(then), 20), elements=st.integers(-9, 9)))
    trained = InputDistribution.of([then])

    assert (trained.index(bin_counts(trained.edges, now)) >= -1e-12).all()


def test_other_candidates_of_the_same_feed_have_a_small_index_and_shifted_ones_a_large_one():
    trained = InputDistribution.of([normal(0.0, seed=1)])

    same, shifted = (
        trained.index(bin_counts(trained.edges, inputs)) for inputs in (normal(0, 2), normal(1, 3))
    )

    assert (same < 0.02).all()
    assert shifted[0] > 0.25
    assert shifted[1] < 0.02  # this input did not change


def test_the_usual_index_is_that_of_the_most_different_part_of_the_training():
    parts = [normal(0, 1), normal(0, 2), normal(2, 3)]

    trained = InputDistribution.of(parts)

    assert trained.usual == pytest.approx(trained.index(bin_counts(trained.edges, parts[2])), abs=0.01)
    assert trained.usual[0] > 0.25 > trained.usual[1]


def test_the_half_precision_of_training_moves_no_frequent_value_to_another_bin():
    values = np.log1p(np.arange(8, dtype=np.float32))
    inputs = np.repeat(values, 100)[None]

    trained = InputDistribution.of([inputs.astype(np.float16)])

    assert trained.index(bin_counts(trained.edges, inputs)) == pytest.approx(0)


def test_there_is_no_index_before_enough_rankings_were_sampled():
    stability = InputStability(["age", "likes"], InputDistribution.of([normal(0, 1)]))
    record(stability, normal(0, 2)[:, :50], MIN_SAMPLES - 1)
    before = stability.index()

    record(stability, normal(0, 2)[:, :50], 1)

    assert before == {}
    assert stability.index().keys() == {"age", "likes"}


def test_rankings_of_the_past_fade():
    stability = InputStability(["age", "likes"], InputDistribution.of([normal(0, 1)]))
    record(stability, normal(0, 2)[:, :400], 1500)
    then = stability.index()["age"]

    record(stability, normal(3, 2)[:, :400], 1500)

    assert then < 0.25
    assert stability.index()["age"] > 1


def test_a_ranking_without_candidates_is_no_sample():
    stability = InputStability(["age", "likes"], InputDistribution.of([normal(0, 1)]))

    record(stability, np.empty((2, 0), np.float32), MIN_SAMPLES)

    assert stability.index() == {}
