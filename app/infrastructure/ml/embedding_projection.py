"""Projects the embeddings of a team's posts to the few values that are kept in memory."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.embeddings import MIN_EMBEDDED_POSTS, PROJECTED_DIMENSIONS

_MAX_FITTED = 10_000  # posts that determine the projection
_ROWS_PER_STEP = 4096


@dataclass(frozen=True, eq=False)
class EmbeddingProjection:
    """The principal components of embeddings. scikit-learn fits them; the service needs numpy only.

    Embedding models give most texts a common direction. Without the mean, a cosine shows how posts differ.

    mean        (d,) of the embeddings
    components  (k, d) directions, k <= PROJECTED_DIMENSIONS
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def fit(cls, embeddings: NDArray[np.float16], seed: int = 0) -> "EmbeddingProjection | None":
        """Fit on the embeddings (n, d) of posts, evenly spaced among those that have one; None if too few have one."""
        from sklearn.decomposition import PCA

        rows = np.flatnonzero(embeddings.any(axis=1))
        if len(rows) < MIN_EMBEDDED_POSTS:
            return None
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MAX_FITTED)).astype(np.intp)]
        n_components = min(PROJECTED_DIMENSIONS, embeddings.shape[1])
        analysis = PCA(n_components, svd_solver="randomized", iterated_power=4, random_state=seed)
        analysis.fit(embeddings[rows].astype(np.float32))
        return cls(analysis.mean_.astype(np.float32), analysis.components_.astype(np.float32))

    def digest(self) -> str:
        """Equal for equal projections."""
        digest = blake2b(digest_size=16)
        for array in (self.mean, self.components):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def __call__(self, embeddings: NDArray[np.float16]) -> NDArray[np.float16]:
        """(n, k) unit vectors of embeddings (n, d); 0 for a post without one, or if they have another length."""
        projected = np.zeros((len(embeddings), len(self.components)), np.float16)
        if embeddings.shape[1] != len(self.mean):
            return projected
        for start in range(0, len(embeddings), _ROWS_PER_STEP):
            some = slice(start, start + _ROWS_PER_STEP)
            projected[some] = self._project(embeddings[some])
        return projected

    def _project(self, embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
        has_embedding = embeddings.any(axis=1, keepdims=True)
        # A product of matrices rounds by the number of its rows; a post must get the same vector in any batch.
        centred = embeddings.astype(np.float32) - self.mean
        vectors: NDArray[np.float32] = np.einsum("nd,kd->nk", centred, self.components)
        length = np.sqrt(np.einsum("nk,nk->n", vectors, vectors))[:, None]
        unit: NDArray[np.float32] = np.divide(
            vectors, length, out=np.zeros_like(vectors), where=has_embedding & (length > 1e-6)
        )
        return unit
