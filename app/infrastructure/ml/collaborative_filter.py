"""User-based collaborative filtering: the nearest users by cosine, and what they chose."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.feed.group_sums import GroupSums, group_sums
from app.domain.feed.ragged import ranges_to_indices
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

if TYPE_CHECKING:  # importing scikit-learn takes seconds, and serving does without
    from sklearn.neighbors import NearestNeighbors


@dataclass(frozen=True, slots=True, eq=False)
class NearestUsers:
    """Matrix rows of the nearest users, best first, and their cosine similarities."""

    rows: NDArray[np.intp]
    similarity: NDArray[np.float64]


class CollaborativeFilter:
    """The owner's model, scikit-learn's `NearestNeighbors` (cosine, brute force) over users x posts.

    A single user is answered by one sparse product with the transposed, pre-normalised matrix, which gives the same
    neighbours some hundred times sooner (a test compares the two). The user's own row is taken as of now, the
    others' as of training.
    """

    def __init__(self, matrix: csr_array, model: "NearestNeighbors | StoredNeighbours") -> None:
        """`matrix` (n_users, n_posts) of interaction weights, float64; `model` fitted on it.

        Raises ValueError for a stored model that is none.
        """
        self.matrix = matrix
        self._model = model
        self._n_neighbours = int(model.n_neighbors)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        self._norm = np.where(norms > 0, norms, 1.0)
        by_post = matrix.tocsc()
        self._starts, self._users, self._weights = by_post.indptr, by_post.indices, by_post.data
        self._weights = self._weights / self._norm[self._users]

    @classmethod
    def fit(cls, matrix: csr_array, n_neighbours: int) -> "CollaborativeFilter":
        """Fit on (n_users, n_posts) summed interaction weights."""
        from sklearn.neighbors import NearestNeighbors

        model = NearestNeighbors(n_neighbors=n_neighbours, metric="cosine", algorithm="brute")
        return cls(matrix, model.fit(matrix))

    @property
    def model(self) -> "NearestNeighbors":
        """scikit-learn's estimator; a stored one is made at the first call."""
        if isinstance(self._model, StoredNeighbours):
            self._model = self._model.to_estimator()
        return self._model

    @property
    def shape(self) -> tuple[int, int]:
        """(n_users, n_posts) of the matrix."""
        rows, columns = self.matrix.shape
        return int(rows), int(columns)

    def neighbours(
        self, posts: NDArray[np.intp], weights: NDArray[np.float64], exclude_row: int = -1
    ) -> NearestUsers:
        """The users nearest to one who gave `weights` to the matrix columns `posts` (distinct), himself left out."""
        length = np.sqrt(weights @ weights)
        if not len(posts) or length == 0:
            return NearestUsers(np.empty(0, np.intp), np.empty(0))
        place, counts = _entries(self._starts, posts)
        products = self._weights.take(place)
        products *= (weights / length).repeat(counts)
        alike = group_sums(self._users.take(place), products[None], self.shape[0])
        found, product = alike.rows, alike.sums[0]
        if len(found) > self._n_neighbours + 1:  # he may be one of them
            some = np.argpartition(-product, self._n_neighbours)[: self._n_neighbours + 1]
            found, product = found[some], product[some]
        others = (product > 0) & (found != exclude_row)
        found, product = found[others], product[others]
        order = np.lexsort((found, -product))[: self._n_neighbours]
        return NearestUsers(found[order], product[order])

    def neighbour_choices(
        self, nearest: NearestUsers
    ) -> tuple[NDArray[np.integer[Any]], NDArray[np.float64]]:
        """What the neighbours chose: matrix columns, one entry for each choice, and similarity x its weight."""
        place, counts = _entries(self.matrix.indptr, nearest.rows)
        weights = self.matrix.data.take(place)
        weights *= nearest.similarity.repeat(counts)
        return self.matrix.indices.take(place), weights


def _entries(
    starts: NDArray[np.integer[Any]], rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.integer[Any]]]:
    """Where the entries of some rows of a compressed matrix stand, row by row, and how many each row has."""
    end = starts.take(rows + 1)
    counts = end - starts.take(rows)
    return ranges_to_indices(end, counts).astype(np.intp, copy=False), counts


class NeighbourRecommender:
    """A `CollaborativeFilter` among the rows of a feed state that goes on growing after training.

    The state's rows and the matrix' need not agree: `user_rows` and `post_rows` give the state row of each matrix
    row and column, -1 where the state does not know it.
    """

    def __init__(
        self,
        model: CollaborativeFilter,
        user_rows: NDArray[np.intp],
        post_rows: NDArray[np.intp],
        kind_weights: NDArray[np.float64],
        half_life: float | None = None,
    ) -> None:
        """`kind_weights` (5,) by interaction type; `half_life` in seconds of the user's own events, None: no decay."""
        self.model = model
        self._weights = kind_weights
        self._half_life = half_life
        self._post_rows = post_rows
        # the last one stands for posts that came after training, which have none
        self._column = np.full(int(post_rows.max(initial=-1)) + 2, -1)
        self._column[post_rows[post_rows >= 0]] = np.flatnonzero(post_rows >= 0)
        self._row = np.full(int(user_rows.max(initial=-1)) + 1, -1)
        self._row[user_rows[user_rows >= 0]] = np.flatnonzero(user_rows >= 0)

    def scores(self, context: RankingContext) -> GroupSums:
        """Support of posts of the state by the user's neighbours, one sum: of similarity x the weight of the choice."""
        return context.memoise((id(self), "support"), lambda: self._scores(context))

    def neighbours(self, context: RankingContext) -> NearestUsers:
        """The user's neighbours, as matrix rows."""
        return context.memoise((id(self), "neighbours"), lambda: self._neighbours(context))

    def _neighbours(self, context: RankingContext) -> NearestUsers:
        if context.user < 0:
            return NearestUsers(np.empty(0, np.intp), np.empty(0))
        posts, times, kinds = context.state.events_by_user.row(context.user)
        weights = self._weights.take(kinds)
        if self._half_life is not None:
            # against the last one: a cosine knows no scale, and a year's silence would leave no digit
            weights = weights * np.exp2((times - times.max(initial=-np.inf)) / self._half_life)
        mine = group_sums(self._column.take(posts, mode="clip"), weights[None], self.model.shape[1])
        own = self._row[context.user] if context.user < len(self._row) else -1
        return self.model.neighbours(mine.rows, mine.sums[0], exclude_row=int(own))

    def _scores(self, context: RankingContext) -> GroupSums:
        columns, weights = self.model.neighbour_choices(self.neighbours(context))
        return group_sums(self._post_rows[columns], weights[None], context.state.n_posts)


def interaction_matrix(
    users: NDArray[np.integer[Any]],
    posts: NDArray[np.integer[Any]],
    weights: NDArray[np.float64],
    shape: tuple[int, int],
) -> csr_array:
    """Sparse (n_users, n_posts) sums of interaction weights; never dense."""
    matrix = csr_array((weights, (users, posts)), shape=shape)
    matrix.sum_duplicates()
    return matrix
