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

    def __init__(self, vectoriser: TfidfVectorizer | None, projection: TruncatedSVD | None) -> None:
        self._vectoriser = vectoriser
        self._projection = projection

    @classmethod
    def fit(cls, texts: Sequence[str], seed: int = 0) -> "TextSpace":
        """Learn from texts (tags included by the caller); a feed without words gives a space of no dimension."""
        spoken = [text for text in texts if text]
        vectoriser = TfidfVectorizer(
            analyzer=words, max_features=_VOCABULARY, min_df=2, max_df=0.5, sublinear_tf=True, dtype=np.float32
        )
        try:
            counted = vectoriser.fit_transform(spoken)
        except ValueError:  # nothing but words that are too rare, too common, or none at all
            return cls(None, None)
        if min(counted.shape) <= _DIMENSIONS:
            return cls(None, None)
        return cls(vectoriser, TruncatedSVD(_DIMENSIONS, n_iter=2, random_state=seed).fit(counted))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32, rows of length 1, or 0 for a text without a known word."""
        if self._vectoriser is None or self._projection is None:
            return np.zeros((len(texts), 0), np.float32)
        dense = np.asarray(self._projection.transform(self._vectoriser.transform(texts)), np.float32)
        length = np.linalg.norm(dense, axis=1, keepdims=True)
        return np.divide(dense, length, out=np.zeros_like(dense), where=length > 1e-6)

    def saved(self) -> dict[str, Any]:
        """Plain data and scikit-learn estimators for the artefact."""
        return {"vectoriser": self._vectoriser, "projection": self._projection}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "TextSpace":
        """The inverse of `saved`."""
        return cls(saved["vectoriser"], saved["projection"])
