"""The projection of embeddings: what it keeps, and that a post has one vector in any batch."""

from dataclasses import asdict

import numpy as np
import pytest

from app.domain.feed.embeddings import MIN_EMBEDDED_POSTS, PROJECTED_DIMENSIONS
from app.infrastructure.ml.embedding_projection import EmbeddingProjection


def some_embeddings(posts: int, dimensions: int = 100) -> np.ndarray:
    """Embeddings of posts about five topics, with a direction that all have in common."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(5, dimensions))
    rows = centres[np.arange(posts) % 5] + random.normal(size=(posts, dimensions)) + 2
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(scope="module")
def projection() -> EmbeddingProjection:
    fitted = EmbeddingProjection.fit(some_embeddings(400))
    assert fitted is not None
    return fitted


def test_posts_of_one_topic_are_near_and_others_are_not(projection: EmbeddingProjection) -> None:
    vectors = projection(some_embeddings(50)).astype(np.float64)

    cosines = vectors @ vectors.T
    same = np.arange(50)[:, None] % 5 == np.arange(50) % 5
    assert vectors.shape == (50, PROJECTED_DIMENSIONS)
    assert cosines[same].mean() > 0.5 > 0.1 > cosines[~same].mean()


def test_a_post_has_the_same_vector_alone_and_among_others(projection: EmbeddingProjection) -> None:
    embeddings = some_embeddings(60)

    alone = [projection(embeddings[row : row + 1])[0] for row in range(60)]

    np.testing.assert_array_equal(projection(embeddings), alone)


def test_a_post_without_an_embedding_or_with_one_of_another_length_has_zeros(
    projection: EmbeddingProjection,
) -> None:
    embeddings = some_embeddings(3)
    embeddings[1] = 0

    assert projection(embeddings).any(axis=1).tolist() == [True, False, True]
    assert not projection(some_embeddings(3, dimensions=8)).any()


def test_few_embeddings_give_no_projection() -> None:
    embeddings = some_embeddings(MIN_EMBEDDED_POSTS)
    embeddings[0] = 0

    assert EmbeddingProjection.fit(embeddings) is None


def test_short_embeddings_keep_their_dimensions_and_a_stored_projection_is_the_same() -> None:
    embeddings = some_embeddings(60, dimensions=3)

    fitted = EmbeddingProjection.fit(embeddings)

    assert fitted is not None
    assert fitted.components.shape == (3, 3)
    again = EmbeddingProjection(**asdict(fitted))
    assert again.digest() == fitted.digest()
    np.testing.assert_array_equal(again(embeddings), fitted(embeddings))
