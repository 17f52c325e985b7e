"""Posts whose texts are most similar to a text: an exact search over the text vectors of the posts in memory."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
MAX_PART: Final = 8192
"""Rows that are looked at in one step. Other requests wait for it."""
_GROWTH: Final = 4


def text_similarities(text: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) cosines of a unit vector (d,) with the rows of `text` (n, d), which are unit vectors or 0.

    It reads all rows, and other threads run meanwhile. Equal rows have equal cosines: a matrix product rounds some rows
    in another way than others, by their places.
    """
    similarities: NDArray[np.float32] = np.vecdot(text, vector).clip(-1.0, 1.0)
    return similarities


def most_similar_first(similarities: NDArray[np.float32], first: int) -> Iterator[Rows]:
    """The rows with positive `similarities` (n,), largest first, in parts: `first` rows, then four times as many, etc.

    Of equal ones the smaller row is first.
    """
    n_positive = int(np.count_nonzero(similarities > 0))
    size = min(first, n_positive)
    if not size:
        return
    smallest = np.partition(similarities, -size)[-size]
    yield _sorted(similarities, np.flatnonzero(similarities >= smallest))[:size]
    if size == n_positive:
        return
    order, start = _sorted(similarities, np.flatnonzero(similarities > 0)), size
    while start < n_positive:
        size = min(_GROWTH * size, MAX_PART)
        yield order[start : start + size]
        start += size


def _sorted(similarities: NDArray[np.float32], rows: Rows) -> Rows:
    return rows[np.argsort(-similarities[rows], kind="stable")]
