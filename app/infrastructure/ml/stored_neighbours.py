"""The neighbour model of an artefact before scikit-learn is imported."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors


class StoredNeighbours:
    """A `NearestNeighbors` as it was stored, made when it is asked for.

    Serving does without it (see `CollaborativeFilter`), and importing scikit-learn takes longer than all the rest of
    a start.
    """

    __slots__ = ("_state",)

    def __setstate__(self, state: object) -> None:
        """Called by the unpickler."""
        self._state = state

    @property
    def n_neighbors(self) -> int:
        """Its parameter. Raises ValueError where the stored state has none."""
        state = getattr(self, "_state", None)
        count = state.get("n_neighbors") if isinstance(state, dict) else None
        if type(count) is not int or count < 1:
            raise ValueError("the stored neighbours do not say how many they are")
        return count

    def to_estimator(self) -> "NearestNeighbors":
        """The estimator itself."""
        from sklearn.neighbors import NearestNeighbors

        estimator = NearestNeighbors.__new__(NearestNeighbors)
        estimator.__setstate__(self._state)
        return estimator
