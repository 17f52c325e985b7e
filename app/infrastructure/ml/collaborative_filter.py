"""User-based collaborative filtering: the nearest users by cosine similarity, and the posts they support."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.feed.group_sums import GroupSums
from app.domain.feed.ragged import ranges_to_indices
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

if TYPE_CHECKING:  # the import takes seconds, and serving does not need it
    from sklearn.neighbors import NearestNeighbors


MAX_COMPARED_EVENTS: Final = 256
"""Newest events of a user that a request compares with other users: its time must not grow with a long history."""


@dataclass(frozen=True, slots=True, eq=False)
class NearestUsers:
    """The nearest users, most similar first: `rows` (n,) of the matrix, `similarity` (n,) cosines."""

    rows: NDArray[np.intp]
    similarity: NDArray[np.float64]


class CollaborativeFilter:
    """scikit-learn's `NearestNeighbors` (cosine, brute force) over a users x posts matrix of interaction weights.

    A request needs the neighbours of one user. One sparse product of the user's current row with the transposed,
    normalised matrix finds the same neighbours about a hundred times faster (a test compares the two). The other rows
    are as of training.
    """

    def __init__(self, matrix: csr_array, model: "NearestNeighbors | StoredNeighbours") -> None:
        """`matrix` (n_users, n_posts) of float64 weights; `model` was fitted on it.

        Raises ValueError if a stored model has no valid number of neighbours.
        """
        self.matrix = matrix
        self._model = model
        self._n_neighbours = int(model.n_neighbors)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        norms[norms == 0] = 1.0
        by_post = matrix.tocsc()
        self._starts, self._users = by_post.indptr, by_post.indices
        self._weights = by_post.data / norms[by_post.indices]

    @classmethod
    def fit(cls, matrix: csr_array, n_neighbours: int) -> "CollaborativeFilter":
        """Fit on the (n_users, n_posts) sums of interaction weights."""
        from sklearn.neighbors import NearestNeighbors

        model = NearestNeighbors(n_neighbors=n_neighbours, metric="cosine", algorithm="brute")
        return cls(matrix, model.fit(matrix))

    @property
    def model(self) -> "NearestNeighbors":
        """scikit-learn's estimator; the first call makes it from a stored one."""
        if isinstance(self._model, StoredNeighbours):
            self._model = self._model.to_estimator()
        return self._model

    def without_users(self, rows: NDArray[np.intp]) -> "CollaborativeFilter":
        """The same without the weights of some rows, whose users are nobody's neighbours."""
        if not len(rows):
            return self
        keep = np.ones(self.matrix.shape[0])
        keep[rows] = 0.0
        weights = self.matrix.data * keep.repeat(np.diff(self.matrix.indptr))
        matrix = csr_array((weights, self.matrix.indices, self.matrix.indptr), self.matrix.shape)
        return CollaborativeFilter(matrix, self._model)

    def neighbours(
        self, posts: NDArray[np.intp], weights: NDArray[np.float64], exclude_rows: Collection[int] = ()
    ) -> NearestUsers:
        """The users nearest to a row that has `weights` in the distinct columns `posts`, without `exclude_rows`."""
        length = np.sqrt(weights @ weights)
        if not len(posts) or length == 0:
            return NearestUsers(np.empty(0, np.intp), np.empty(0))
        entries, counts = _entries(self._starts, posts)
        products = self._weights.take(entries)
        products *= (weights / length).repeat(counts)
        similarities = GroupSums(self._users.take(entries), products[None], self.matrix.shape[0])
        found, similarity = similarities.rows, similarities.sums[0]
        count = self._n_neighbours + len(exclude_rows)
        if len(found) > count:
            some = np.argpartition(-similarity, count - 1)[:count]
            found, similarity = found[some], similarity[some]
        others = similarity > 0
        for row in exclude_rows:  # the user, and rarely a blocked one
            others &= found != row
        found, similarity = found[others], similarity[others]
        order = np.lexsort((found, -similarity))[: self._n_neighbours]
        return NearestUsers(found[order], similarity[order])

    def neighbour_choices(
        self, nearest: NearestUsers
    ) -> tuple[NDArray[np.integer[Any]], NDArray[np.float64]]:
        """The entries of the neighbours' rows: their columns, and similarity of the neighbour x weight."""
        entries, counts = _entries(self.matrix.indptr, nearest.rows)
        weights = self.matrix.data.take(entries)
        weights *= nearest.similarity.repeat(counts)
        return self.matrix.indices.take(entries), weights


def _entries(
    starts: NDArray[np.integer[Any]], rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.integer[Any]]]:
    """Indices of the entries of some rows of a compressed matrix, row by row, and the number of entries of each row."""
    end = starts.take(rows + 1)
    counts = end - starts.take(rows)
    return ranges_to_indices(end, counts).astype(np.intp, copy=False), counts


class NeighbourRecommender:
    """The Recommender of a `CollaborativeFilter`, for a feed state that grows after training.

    `user_rows` and `post_rows` map each row and column of the matrix to a row of the state, or to -1 if the state does
    not have it.
    """

    def __init__(
        self,
        model: CollaborativeFilter,
        user_rows: NDArray[np.intp],
        post_rows: NDArray[np.intp],
        kind_weights: NDArray[np.float64],
        half_life_seconds: float | None = None,
        max_events: int | None = None,
    ) -> None:
        """`kind_weights` (5,) by interaction type; `half_life_seconds` of the user's own events, None for no decay.

        `max_events` is the number of the user's newest events that are compared with other users; None for all.
        """
        self.model = model
        self._weights = kind_weights
        self._half_life_seconds = half_life_seconds
        self._max_events = max_events
        self._post_rows = post_rows
        # matrix column of each state row; the last entry, -1, serves all posts that are newer than the model
        self._column = np.full(int(post_rows.max(initial=-1)) + 2, -1)
        self._column[post_rows[post_rows >= 0]] = np.flatnonzero(post_rows >= 0)
        self._row = np.full(int(user_rows.max(initial=-1)) + 1, -1)
        self._row[user_rows[user_rows >= 0]] = np.flatnonzero(user_rows >= 0)

    def scores(self, context: RankingContext) -> GroupSums:
        """One sum per post of the state: similarity of each neighbour x the weight of their events."""

        def support() -> GroupSums:
            columns, weights = self.model.neighbour_choices(self.neighbours(context))
            return GroupSums(self._post_rows[columns], weights[None], context.state.n_posts)

        return context.memoise((id(self), "support"), support)  # a source and the formula read it

    def neighbours(self, context: RankingContext) -> NearestUsers:
        """The neighbours of the user of the request; none without events that rank."""
        if context.history_user < 0:
            return NearestUsers(np.empty(0, np.intp), np.empty(0))
        posts, times, kinds, *_ = context.state.events_by_user.row(context.history_user, self._max_events)
        weights = self._weights.take(kinds)
        if self._half_life_seconds is not None:
            # relative to the newest event: a cosine has no scale, and the weights of old events would underflow
            weights = weights * np.exp2((times - times.max(initial=-np.inf)) / self._half_life_seconds)
        own = GroupSums(self._column.take(posts, mode="clip"), weights[None], self.model.matrix.shape[1])
        users = [context.user, *context.controls.blocked.tolist()]
        excluded = [self._row.item(user) for user in users if user < len(self._row)]
        return self.model.neighbours(own.rows, own.sums[0], [row for row in excluded if row >= 0])
