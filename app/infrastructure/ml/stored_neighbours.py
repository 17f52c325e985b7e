"""The neighbour model of an artefact, read without scikit-learn."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors


class StoredNeighbours:
    """The stored state of a `NearestNeighbors`; `to_estimator` makes the estimator.

    Serving does not need the estimator (see `CollaborativeFilter`), and the import of scikit-learn would double the
    start time of the service.
    """

    __slots__ = ("_state",)

    def __setstate__(self, state: object) -> None:
        """Stores `state`; the unpickler calls it."""
        self._state = state

    @property
    def n_neighbors(self) -> int:
        """The number of neighbours. Raises ValueError if the stored state has no valid one."""
        state = getattr(self, "_state", None)
        count = state.get("n_neighbors") if isinstance(state, dict) else None
        if type(count) is not int or count < 1:
            raise ValueError("the stored neighbour model has no valid n_neighbors")
        return count

    def to_estimator(self) -> "NearestNeighbors":
        """The estimator; imports scikit-learn."""
        from sklearn.neighbors import NearestNeighbors

        estimator = NearestNeighbors.__new__(NearestNeighbors)
        estimator.__setstate__(self._state)
        return estimator
