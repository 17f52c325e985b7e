"""What a peer is: a recommender that is fitted on the feed before a time, and scores the posts of a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.domain.feed.dataset import EventColumns
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import HOUR
from training.learning.candidate_sets import ChoiceSets
from training.replay.replay import ReplayRequest

Scores = NDArray[np.floating[Any]]
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FeedBefore:
    """The feed before a refit. Rows are those of `state`, which may hold later users and posts too.

    events        strictly before `at` (seconds)
    kind_weights  (5,) by interaction type
    """

    events: EventColumns
    at: float
    kind_weights: NDArray[np.float64]
    state: FeedState

    def matrix(self, half_life_hours: float | None) -> csr_matrix:
        """(n_users, n_posts) float32 sums of interaction weights, each halved per half-life of age; None: no decay."""
        weights = self.kind_weights[self.events.kind]
        if half_life_hours is not None:
            weights = weights * np.exp2((self.events.time - self.at) / (half_life_hours * HOUR))
        shape = int(self.events.user.max(initial=0)) + 1, int(self.events.post.max(initial=0)) + 1
        return csr_matrix((weights, (self.events.user, self.events.post)), shape=shape, dtype=np.float32)


class Peer(Protocol):
    """A recommender."""

    def fit(self, feed: FeedBefore) -> None:
        """Fit on the feed before a time; called again at each refit of the neighbour models."""

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        """Fit on training examples; called at each fit of the learned model."""

    def scores(self, request: ReplayRequest) -> Scores:
        """Non-negative scores of the first posts of the state, (at most n_posts,); the other posts score 0."""


@dataclass(frozen=True, slots=True)
class PeerKind:
    """A kind of peer and the settings to try: keyword arguments of `make`, the default first."""

    make: Callable[..., Peer]
    settings: tuple[Settings, ...] = ({},)
    uses_choice_sets: bool = False


class MatrixPeer:
    """A peer that is fitted on the matrix of interaction weights, and reads the user's row as of the request."""

    def __init__(self, half_life_hours: float | None = None) -> None:
        self._half_life_hours = half_life_hours

    def fit(self, feed: FeedBefore) -> None:
        self._kind_weights = feed.kind_weights
        self.matrix = feed.matrix(self._half_life_hours)
        self.fit_matrix(self.matrix)

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        pass

    def scores(self, request: ReplayRequest) -> Scores:
        row = self._row(request)
        return self.scores_of(row) if row.nnz else np.zeros(0)

    def fit_matrix(self, matrix: csr_matrix) -> None:
        """Fit on (n_users, n_posts) weights."""
        raise NotImplementedError

    def scores_of(self, row: csr_matrix) -> Scores:
        """(n_posts,) scores for a (1, n_posts) row, which is not empty."""
        raise NotImplementedError

    def _row(self, request: ReplayRequest) -> csr_matrix:
        """The user's row as of the request: (1, n_posts), decayed as the matrix is."""
        n_posts, context = self.matrix.shape[1], request.uncapped()
        if context.user < 0:
            return csr_matrix(np.zeros((1, n_posts), np.float32))
        posts, times, kinds, *_ = context.state.events_by_user.row(context.user)
        weights = self._kind_weights[kinds]
        if self._half_life_hours is not None:
            weights = weights * np.exp2((times - request.time) / (self._half_life_hours * HOUR))
        known = posts < n_posts
        columns = posts[known]
        return csr_matrix(
            (weights[known], (np.zeros_like(columns), columns)), shape=(1, n_posts), dtype=np.float32
        )
