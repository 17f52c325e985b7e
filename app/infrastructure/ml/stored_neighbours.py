"""The neighbour model of an artefact, read without scikit-learn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.sparse import csr_array

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors


@dataclass(frozen=True, slots=True, eq=False)
class StoredNeighbours:
    """A stored `NearestNeighbors`: the number of neighbours, and the matrix that it was fitted on.

    Serving does not need the estimator (see `CollaborativeFilter`), and the import of scikit-learn would double the
    start time of the service.
    """

    n_neighbors: int
    matrix: csr_array

    def to_estimator(self) -> "NearestNeighbors":
        """The estimator, fitted again (it stores the matrix); imports scikit-learn."""
        from sklearn.neighbors import NearestNeighbors

        model = NearestNeighbors(n_neighbors=self.n_neighbors, metric="cosine", algorithm="brute")
        return model.fit(self.matrix)
