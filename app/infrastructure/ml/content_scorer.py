"""Text vectors of posts: TF-IDF over words and tags, projected to 48 dimensions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_DIMENSIONS = 48
_VOCABULARY = 20_000


def words(text: str) -> list[str]:
    """Lower-case words of two characters or more; pairs of characters for scripts without spaces between words."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.fullmatch(word):
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
        elif len(word) > 1:
            found.append(word)
    return found


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Latent semantic analysis (Deerwester et al. 1990): the TF-IDF of a text, projected to its leading components.

    scikit-learn fits it. A sparse product embeds texts (a test compares the two), so the service does not import
    scikit-learn, which would double its start time.

    terms       (v,) words
    idf         (v,) their weights
    components  (d, v) directions; v = d = 0 in an empty space
    """

    terms: list[str]
    idf: NDArray[np.float32]
    components: NDArray[np.float32]

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.terms)}

    def digest(self) -> str:
        """Equal for equal spaces."""
        digest = blake2b("\n".join(self.terms).encode(), digest_size=16)
        for array in (self.idf, self.components):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @classmethod
    def fit(cls, texts: Sequence[str], seed: int = 0) -> "TextSpace":
        """Fit on `texts`. Too few words or texts give an empty space."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(
            analyzer=words,
            max_features=_VOCABULARY,
            min_df=2,
            max_df=0.5,
            sublinear_tf=True,
            dtype=np.float32,
        )
        try:
            counted = vectoriser.fit_transform([text for text in texts if text])
        except ValueError:  # no word remains: all are too rare or too common
            return cls.empty()
        if min(counted.shape) <= _DIMENSIONS:
            return cls.empty()
        projection = TruncatedSVD(_DIMENSIONS, n_iter=2, random_state=seed).fit(counted)
        terms = vectoriser.get_feature_names_out().tolist()
        return cls(terms, vectoriser.idf_.astype(np.float32), projection.components_.astype(np.float32))

    @classmethod
    def empty(cls) -> "TextSpace":
        """The space of a feed without usable texts: vectors have no dimension."""
        return cls([], np.zeros(0, np.float32), np.zeros((0, 0), np.float32))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32 text vectors of length 1, or 0 for a text without a known word."""
        if not self.terms or not texts:
            return np.zeros((len(texts), len(self.components)), np.float32)
        vectors = np.asarray(self._tf_idf(texts) @ self.components.T, np.float32)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(
            vectors, length, out=np.zeros_like(vectors), where=length > 1e-6
        )
        return unit

    def _tf_idf(self, texts: Sequence[str]) -> csr_array:
        """(n, v) (1 + log(count)) x idf of each known word, rows of length 1."""
        found = [
            (row, self._columns[word])
            for row, text in enumerate(texts)
            for word in words(text)
            if word in self._columns
        ]
        positions = np.array(found, np.intp).reshape(-1, 2).T
        matrix = csr_array((np.ones(len(found), np.float32), positions), shape=(len(texts), len(self.terms)))
        weights = (np.log(matrix.data) + 1) * self.idf[matrix.indices]  # scipy has counted equal positions
        rows = np.repeat(np.arange(len(texts)), np.diff(matrix.indptr))
        length = np.sqrt(np.bincount(rows, weights=weights**2, minlength=len(texts)))
        matrix.data = (weights / length[rows]).astype(np.float32)
        return matrix
