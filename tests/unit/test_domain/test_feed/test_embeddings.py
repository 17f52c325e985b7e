"""Embeddings of posts: which vectors are accepted, and the form in which they are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.embeddings import MAX_DIMENSIONS, PostVectors, same_length, unit_embedding, with_length

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=2, max_size=30).filter(any))
def test_an_embedding_of_any_size_gets_length_1(numbers: list[float]) -> None:
    vector = unit_embedding(numbers)

    assert vector.dtype == np.float16
    assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1.0], "has 1 numbers"),
        ([1.0] * (MAX_DIMENSIONS + 1), f"2 to {MAX_DIMENSIONS}"),
        ([1.0, np.nan], "not finite"),
        ([1.0, np.inf], "not finite"),
        ([0.0, -0.0], "no direction"),
        ([[1.0, 2.0]], "not a list of numbers"),
        (["a", "b"], "not a list of numbers"),
        (None, "not a list of numbers"),
    ],
)
def test_what_is_no_embedding_is_rejected_with_the_problem(values: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        unit_embedding(values)  # type: ignore[arg-type]


def test_embeddings_of_another_length_than_most_count_as_none() -> None:
    long, short = unit_embedding([1, 2, 3]), unit_embedding([1, 2])

    rows = same_length([None, long, short, long])

    assert rows is not None
    np.testing.assert_array_equal(rows, with_length([None, long, None, long], 3))
    assert same_length([None, None]) is None


def test_vectors_of_further_posts_are_0() -> None:
    vectors = PostVectors(np.ones((2, 3), np.float32), np.ones((2, 1), np.float16))

    longer = vectors.extended(4)

    assert longer.dimensions == (3, 1)
    assert longer.text.sum(axis=1).tolist() == [3, 3, 0, 0]
    assert longer[[1, 2]].embedding.tolist() == [[1], [0]]
