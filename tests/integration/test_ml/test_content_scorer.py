"""The sparse product of the text space gives the vectors of scikit-learn."""

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from app.infrastructure.ml.content_scorer import TextSpace, words

RNG = np.random.default_rng(3)
WORDS = np.array([f"word{n}" for n in range(200)])


def some_texts(count: int) -> list[str]:
    return [" ".join(RNG.choice(WORDS, RNG.integers(1, 40)).tolist()) for _ in range(count)]


@pytest.fixture(scope="module")
def space() -> TextSpace:
    return TextSpace.fit(some_texts(300))


def test_texts_get_the_vectors_of_scikit_learn(space: TextSpace) -> None:
    theirs = TfidfVectorizer(analyzer=words, vocabulary=space.terms, sublinear_tf=True, dtype=np.float32)
    theirs.idf_ = space.idf
    texts = some_texts(50)
    expected = theirs.transform(texts) @ space.components.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    assert space(texts) == pytest.approx(expected, abs=1e-5)


def test_a_text_gets_the_same_vector_alone_and_among_others(space: TextSpace) -> None:
    texts = some_texts(20)

    alone = np.concatenate([space([text]) for text in texts])

    np.testing.assert_array_equal(alone, space(texts))


@pytest.mark.parametrize("text", ["", "unknown words"])
def test_the_vector_of_a_text_without_a_known_word_is_0(space: TextSpace, text: str) -> None:
    vectors = space(["word1 word2", text])

    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0])


def test_a_stored_space_gives_the_same_vectors(space: TextSpace) -> None:
    texts = some_texts(5)

    np.testing.assert_array_equal(TextSpace(**asdict(space))(texts), space(texts))


def test_a_feed_with_too_few_words_has_an_empty_space() -> None:
    assert TextSpace.fit(["few words", ""])(["few", "words"]).shape == (2, 0)
