"""The space is scikit-learn's; what reads texts with it is one sparse product. Both must say the same."""

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


def test_texts_read_as_scikit_learn_reads_them(space: TextSpace) -> None:
    told = space.to_dict()
    theirs = TfidfVectorizer(analyzer=words, vocabulary=told["terms"], sublinear_tf=True, dtype=np.float32)
    theirs.idf_ = told["idf"]
    texts = some_texts(50)
    expected = theirs.transform(texts) @ told["components"].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    assert space(texts) == pytest.approx(expected, abs=1e-5)


def test_a_text_reads_alone_as_it_does_among_others(space: TextSpace) -> None:
    texts = some_texts(20)

    alone = np.concatenate([space([text]) for text in texts])

    np.testing.assert_array_equal(alone, space(texts))


@pytest.mark.parametrize("text", ["", "unheard of"])
def test_a_text_without_a_known_word_says_nothing(space: TextSpace, text: str) -> None:
    vectors = space(["word1 word2", text])

    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0])


def test_a_space_that_was_stored_reads_as_before(space: TextSpace) -> None:
    texts = some_texts(5)

    np.testing.assert_array_equal(TextSpace.from_dict(space.to_dict())(texts), space(texts))


def test_a_feed_that_says_too_little_has_a_silent_space() -> None:
    assert TextSpace.fit(["few words", ""])(["few", "words"]).shape == (2, 0)
