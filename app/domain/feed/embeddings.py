"""Embeddings: the vectors that a team has of its posts, from a model of its own, and the vectors that ranking reads.

An embedding is kept as a unit vector of float16. Training fits a projection of embeddings to at most
PROJECTED_DIMENSIONS values, and only these are in memory while requests are served.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_DIMENSIONS: Final = 2
MAX_DIMENSIONS: Final = 1536
PROJECTED_DIMENSIONS: Final = 32
MIN_EMBEDDED_POSTS: Final = 50
"""A feed with fewer embeddings is ranked without them."""


def unit_embedding(values: ArrayLike) -> NDArray[np.float16]:
    """(d,) the embedding as a unit vector. Raises ValueError with the problem if it is none."""
    try:
        vector = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("is not a list of numbers") from None
    if vector.ndim != 1:
        raise ValueError("is not a list of numbers")
    if not MIN_DIMENSIONS <= len(vector) <= MAX_DIMENSIONS:
        raise ValueError(f"has {len(vector)} numbers; an embedding has {MIN_DIMENSIONS} to {MAX_DIMENSIONS}")
    if not np.isfinite(vector).all():
        raise ValueError("has a number that is not finite")
    largest = np.abs(vector).max()
    if largest == 0:
        raise ValueError("has no number but 0, so it has no direction; omit it or send null")
    vector = vector / largest  # so that no square overflows or vanishes
    unit: NDArray[np.float16] = (vector / np.linalg.norm(vector)).astype(np.float16)
    return unit


def same_length(vectors: Sequence[NDArray[Any] | None]) -> NDArray[np.float16] | None:
    """(n, d) the embeddings of n posts, 0 for a post without one; None if no post has one.

    `d` is the length of most embeddings. One of another length counts as none, because vectors of two models cannot be
    compared.
    """
    lengths = Counter(len(one) for one in vectors if one is not None)
    if not lengths:
        return None
    [(length, _)] = lengths.most_common(1)
    return with_length(vectors, length)


def with_length(vectors: Sequence[NDArray[Any] | None], length: int) -> NDArray[np.float16]:
    """(n, length) the embeddings of n posts, 0 for a post without one of this length."""
    rows = np.zeros((len(vectors), length), np.float16)
    for row, vector in enumerate(vectors):
        if vector is not None and len(vector) == length:
            rows[row] = vector
    return rows


def has_enough(embeddings: NDArray[np.float16] | None) -> bool:
    """Whether the posts of a feed have enough embeddings (n, d) to rank by them."""
    return embeddings is not None and int(embeddings.any(axis=1).sum()) >= MIN_EMBEDDED_POSTS


@dataclass(frozen=True, slots=True, eq=False)
class PostVectors:
    """The vectors of n posts that ranking reads, each of length 1, or 0 for a post without a text or an embedding.

    text       (n, d) float32 text vectors; d is 0 without a text space
    embedding  (n, k) float16 projected embeddings; k is 0 without a projection
    """

    text: NDArray[np.float32]
    embedding: NDArray[np.float16]

    @classmethod
    def zeros(cls, n: int, text: int = 0, embedding: int = 0) -> "PostVectors":
        """Zeros for `n` posts, with so many dimensions."""
        return cls(np.zeros((n, text), np.float32), np.zeros((n, embedding), np.float16))

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, rows: slice | Sequence[int] | NDArray[Any]) -> "PostVectors":
        return PostVectors(self.text[rows], self.embedding[rows])

    @property
    def dimensions(self) -> tuple[int, int]:
        """Those of `text` and of `embedding`."""
        return self.text.shape[1], self.embedding.shape[1]

    def extended(self, n: int) -> "PostVectors":
        """A copy with zeros for further posts, `n` in all."""
        longer = PostVectors.zeros(n, *self.dimensions)
        longer.put(slice(len(self)), self)
        return longer

    def put(self, rows: slice | Sequence[int] | NDArray[Any], vectors: "PostVectors") -> None:
        """Replace the vectors at `rows`."""
        self.text[rows], self.embedding[rows] = vectors.text, vectors.embedding
