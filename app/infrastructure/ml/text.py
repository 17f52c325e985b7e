"""What posts are about: TF-IDF over words and tags, condensed to a short dense vector."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_DIMENSIONS = 48
_VOCABULARY = 20_000


def words(text: str) -> list[str]:
    """Lower-case words; scripts that put no space between words give their pairs of characters instead."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.fullmatch(word):
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
        elif len(word) > 1:
            found.append(word)
    return found


class TextSpace:
    """Latent semantic analysis (Deerwester et al. 1990): TF-IDF of each text, projected on its leading directions."""

    def __init__(
        self, terms: Sequence[str], idf: NDArray[np.float32], components: NDArray[np.float32]
    ) -> None:
        """`terms` (v,) words, `idf` (v,) their weights, `components` (d, v) directions; empty where nothing is said."""
        self._terms, self._idf, self._components = list(terms), idf, components
        self._vectoriser: TfidfVectorizer | None = None
        if self._terms:
            self._vectoriser = _vectoriser(self._terms)
            self._vectoriser.idf_ = idf

    @classmethod
    def fit(cls, texts: Sequence[str], seed: int = 0) -> "TextSpace":
        """Learn from texts; a feed with too few words gives a space of no dimension."""
        vectoriser = _vectoriser()
        try:
            counted = vectoriser.fit_transform([text for text in texts if text])
        except ValueError:  # nothing but words that are too rare, too common, or none at all
            return cls.silent()
        if min(counted.shape) <= _DIMENSIONS:
            return cls.silent()
        projection = TruncatedSVD(_DIMENSIONS, n_iter=2, random_state=seed).fit(counted)
        terms = vectoriser.get_feature_names_out().tolist()
        return cls(terms, vectoriser.idf_.astype(np.float32), projection.components_.astype(np.float32))

    @classmethod
    def silent(cls) -> "TextSpace":
        """The space of a feed that says nothing."""
        return cls([], np.zeros(0, np.float32), np.zeros((0, 0), np.float32))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32, rows of length 1, or 0 for a text without a known word."""
        if self._vectoriser is None or not texts:
            return np.zeros((len(texts), len(self._components)), np.float32)
        dense = np.asarray(self._vectoriser.transform(texts) @ self._components.T, np.float32)
        length = np.linalg.norm(dense, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(dense, length, out=np.zeros_like(dense), where=length > 1e-6)
        return unit

    def saved(self) -> dict[str, Any]:
        """Plain data for the artefact."""
        return {"terms": self._terms, "idf": self._idf, "components": self._components}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "TextSpace":
        """The inverse of `saved`."""
        return cls(saved["terms"], saved["idf"], saved["components"])


def _vectoriser(vocabulary: list[str] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer=words, vocabulary=vocabulary, max_features=None if vocabulary else _VOCABULARY,
        min_df=1 if vocabulary else 2, max_df=1.0 if vocabulary else 0.5, sublinear_tf=True, dtype=np.float32,
    )  # fmt: skip


def readable(content: str, tags: Sequence[str]) -> str:
    """The text of a post as the space reads it: its words and, each as one more word, its tags."""
    return " ".join([content, *tags])
