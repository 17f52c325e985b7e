"""The peers. Each library is imported at the first fit, because only requirements-peers.lock has all of them."""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final
from warnings import catch_warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.special import expit

from app.domain.ranking import user_features
from benchmarks.peers.peer import FeedBefore, MatrixPeer, PeerKind, Scores, Settings
from training.learning.candidate_sets import ChoiceSets
from training.replay.replay import ReplayRequest

_SEED: Final = 0
_THREADS: Final = 1
_EASE_POSTS: Final = 2_000
"""Posts with the largest weights that EASE compares: it inverts a matrix of posts x posts."""


class ImplicitItems(MatrixPeer):
    """implicit's item-item models: cosine and BM25. The user's newest events count at once."""

    def __init__(
        self, model: str, neighbours: int, half_life_hours: float | None = None, **options: float
    ) -> None:
        super().__init__(half_life_hours)
        self._name, self._options = model, {"K": neighbours, **options}

    def fit_matrix(self, matrix: csr_matrix) -> None:
        from implicit import nearest_neighbours

        self._model = getattr(nearest_neighbours, self._name)(num_threads=_THREADS, **self._options)
        with catch_warnings(action="ignore"):  # it converts its own matrices
            self._model.fit(matrix, show_progress=False)

    def scores_of(self, row: csr_matrix) -> Scores:
        n_posts = row.shape[1]
        posts, found = self._model.recommend(0, row, N=n_posts, filter_already_liked_items=False)
        scores = np.zeros(n_posts)
        scores[posts] = found
        return scores


class ImplicitAls(MatrixPeer):
    """implicit's ALS (Hu, Koren & Volinsky 2008). The user's factors are computed from the events as of the request."""

    def __init__(
        self, factors: int, alpha: float, regularization: float, half_life_hours: float | None = None
    ) -> None:
        super().__init__(half_life_hours)
        self._alpha = alpha
        self._options = {"factors": factors, "regularization": regularization}

    def fit_matrix(self, matrix: csr_matrix) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        self._scale = self._alpha / max(float(matrix.data.mean()), 1e-9)
        self._model = AlternatingLeastSquares(random_state=_SEED, num_threads=_THREADS, **self._options)
        self._model.fit(self._confidence(matrix), show_progress=False)

    def scores_of(self, row: csr_matrix) -> Scores:
        scores: Scores = self._model.item_factors @ self._model.recalculate_user(0, self._confidence(row))
        return scores.clip(0)

    def _confidence(self, weights: csr_matrix) -> csr_matrix:
        """1 + alpha x weight / mean weight: implicit reads a confidence below 1 as less than none."""
        confidence = weights.copy()
        confidence.data = 1 + self._scale * weights.data
        return confidence


class UserFactors(MatrixPeer):
    """A peer with factors of users and posts as of its fit. Later events of a user do not reach it."""

    user_factors: NDArray[np.float32]
    post_factors: NDArray[np.float32]

    def scores(self, request: ReplayRequest) -> Scores:
        user = request.uncapped().user
        if not 0 <= user < len(self.user_factors):
            return np.zeros(0)
        scores: Scores = expit(self.factors_of_posts(request) @ self.user_factors[user])
        return scores

    def factors_of_posts(self, _request: ReplayRequest) -> NDArray[np.float32]:
        """(n_posts, n_factors) of the posts that have any."""
        return self.post_factors


class ImplicitBpr(UserFactors):
    """implicit's BPR (Rendle et al. 2009)."""

    def __init__(
        self, factors: int, learning_rate: float, iterations: int, half_life_hours: float | None = None
    ) -> None:
        super().__init__(half_life_hours)
        self._options = {"factors": factors, "learning_rate": learning_rate, "iterations": iterations}

    def fit_matrix(self, matrix: csr_matrix) -> None:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(random_state=_SEED, num_threads=_THREADS, **self._options)
        model.fit(matrix, show_progress=False)
        self.user_factors, self.post_factors = model.user_factors, model.item_factors


class LightFmWarp(UserFactors):
    """LightFM (Kula 2015) with WARP. A post's factors are the mean of its own, its author's and its topic's.

    A post that is newer than the fit has those of its author and topic.
    """

    def __init__(
        self, components: int, epochs: int, learning_rate: float = 0.05, half_life_hours: float | None = None
    ) -> None:
        super().__init__(half_life_hours)
        self._epochs = epochs
        self._options = {"no_components": components, "learning_rate": learning_rate}

    def fit(self, feed: FeedBefore) -> None:
        self._sizes = (
            int(feed.events.post.max(initial=0)) + 1,
            feed.state.n_users,
            len(feed.state.topic_ids),
        )
        self._posts = self._features(feed.state, np.arange(self._sizes[0]))
        super().fit(feed)

    def fit_matrix(self, matrix: csr_matrix) -> None:
        from lightfm import LightFM

        model = LightFM(loss="warp", random_state=_SEED, **self._options)
        weights = matrix.tocoo()
        weights.data /= weights.data.mean()
        model.fit(
            weights.sign().tocoo(),
            item_features=self._posts,
            sample_weight=weights,
            epochs=self._epochs,
            num_threads=_THREADS,
        )
        _, users = model.get_user_representations()
        self.user_factors = np.concatenate([users, np.ones((len(users), 1), np.float32)], axis=1)
        self._by_feature = np.concatenate([model.item_embeddings, model.item_biases[:, None]], axis=1)
        self.post_factors = self._posts @ self._by_feature

    def factors_of_posts(self, _request: ReplayRequest) -> NDArray[np.float32]:
        newer = np.arange(len(self.post_factors), _request.state.n_posts)
        if len(newer):
            factors = self._features(_request.state, newer) @ self._by_feature
            self.post_factors = np.concatenate([self.post_factors, factors])
        return self.post_factors

    def _features(self, state: Any, posts: NDArray[np.intp]) -> csr_matrix:
        """(n, n_features): the post, its author and its topic, those that were known at the fit; rows sum to 1."""
        columns = np.stack([posts, state.author[posts], state.topic[posts]]).astype(np.intp)
        sizes = np.array(self._sizes)
        known = (columns >= 0) & (columns < sizes[:, None])
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        weights = known / np.maximum(known.sum(axis=0), 1)
        rows = np.broadcast_to(np.arange(len(posts)), columns.shape)
        entries = weights[known], (rows[known], (columns + offsets[:, None])[known])
        return csr_matrix(entries, shape=(len(posts), int(sizes.sum())), dtype=np.float32)


class ItemItem(MatrixPeer):
    """Cosine between posts over all users, without a limit on neighbours: two sparse products per request."""

    def fit_matrix(self, matrix: csr_matrix) -> None:
        lengths = np.sqrt(matrix.multiply(matrix).sum(axis=0)).A1
        self._normalised = (matrix @ diags_array(1 / np.maximum(lengths, 1e-9))).tocsr()
        self._by_post = self._normalised.T.tocsr()

    def scores_of(self, row: csr_matrix) -> Scores:
        scores: Scores = ((row @ self._by_post) @ self._normalised).toarray()[0]
        return scores


class Ease(MatrixPeer):
    """EASE (Steck 2019): the closed-form linear model of the posts with the largest weights."""

    def __init__(self, ridge: float, half_life_hours: float | None = None) -> None:
        super().__init__(half_life_hours)
        self._ridge = ridge

    def fit_matrix(self, matrix: csr_matrix) -> None:
        popular = np.argsort(-matrix.sum(axis=0).A1)[:_EASE_POSTS]
        some = matrix[:, popular]
        gram = (some.T @ some).toarray().astype(np.float64)
        gram /= max(
            float(gram.diagonal().mean()), 1e-9
        )  # the ridge does not depend on the unit of the weights
        inverse = np.linalg.inv(gram + self._ridge * np.eye(len(popular)))
        inverse /= -inverse.diagonal()
        np.fill_diagonal(inverse, 0)
        self._popular, self._weights = popular, inverse.astype(np.float32)

    def scores_of(self, row: csr_matrix) -> Scores:
        scores = np.zeros(row.shape[1], np.float32)
        scores[self._popular] = (row[:, self._popular] @ self._weights)[0].clip(0)
        return scores


class SklearnNeighbours(MatrixPeer):
    """User-based collaborative filtering with a call of scikit-learn's `kneighbors` at each request."""

    def __init__(self, neighbours: int, half_life_hours: float | None = None) -> None:
        super().__init__(half_life_hours)
        self._neighbours = neighbours

    def fit_matrix(self, matrix: csr_matrix) -> None:
        from sklearn.neighbors import NearestNeighbors

        count = min(self._neighbours, matrix.shape[0])
        self._model = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(matrix)

    def scores_of(self, row: csr_matrix) -> Scores:
        distances, users = self._model.kneighbors(row)
        scores: Scores = (1 - distances[0]).clip(0) @ self.matrix[users[0]]
        return scores


class LambdaMart:
    """LightGBM's LambdaMART on the inputs and the training examples of the learned model."""

    def __init__(self, trees: int, leaves: int, learning_rate: float) -> None:
        self._trees = trees
        self._options = {"num_leaves": leaves, "learning_rate": learning_rate}
        self._model: Any = None

    def fit(self, feed: FeedBefore) -> None:
        pass

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        import lightgbm

        is_candidate = np.isfinite(choice_sets.log_weight)
        is_chosen = np.zeros_like(is_candidate)
        is_chosen[:, 0] = True  # the chosen post of each set is the first
        data = lightgbm.Dataset(
            choice_sets.inputs[is_candidate], is_chosen[is_candidate], group=is_candidate.sum(axis=1)
        )
        fixed = {
            "objective": "lambdarank",
            "verbosity": -1,
            "num_threads": _THREADS,
            "seed": _SEED,
            "lambdarank_truncation_level": 20,
        }
        self._model = lightgbm.train(fixed | self._options, data, self._trees)

    def scores(self, request: ReplayRequest) -> Scores:
        if self._model is None:
            return np.zeros(0)
        inputs = user_features.matrix(request.context, request.eligible, impressions=request.feed_has_pages).T
        scores = np.zeros(request.state.n_posts)
        scores[request.eligible] = expit(self._model.predict(inputs, num_threads=_THREADS))
        return scores


def _grid(
    *, half_life_hours: tuple[float | None, ...] = (None, 24.0), **values: tuple[Any, ...]
) -> tuple[Settings, ...]:
    values = {**values, "half_life_hours": half_life_hours}
    return tuple(dict(zip(values, one, strict=True)) for one in product(*values.values()))


PEERS: Final[Mapping[str, PeerKind]] = {
    "implicit cosine": PeerKind(ImplicitItems, _grid(model=("CosineRecommender",), neighbours=(20, 200))),
    "implicit BM25": PeerKind(
        ImplicitItems, _grid(model=("BM25Recommender",), neighbours=(20, 200), B=(0.0, 0.75))
    ),
    "implicit ALS": PeerKind(ImplicitAls, _grid(factors=(32, 128), alpha=(1.0, 10.0), regularization=(0.1,))),
    "implicit BPR": PeerKind(
        ImplicitBpr,
        _grid(factors=(32, 128), learning_rate=(0.05,), iterations=(50,), half_life_hours=(None,)),
    ),
    "LightFM": PeerKind(LightFmWarp, _grid(components=(32, 64), epochs=(10,))),
    "EASE": PeerKind(Ease, _grid(ridge=(1.0, 10.0))),
    "item-item": PeerKind(ItemItem, _grid()),
    "kneighbors": PeerKind(SklearnNeighbours, _grid(neighbours=(10, 200))),
    "LambdaMART": PeerKind(
        LambdaMart,
        tuple(
            {"trees": trees, "leaves": leaves, "learning_rate": 0.05}
            for trees, leaves in ((100, 15), (200, 31))
        ),
        uses_choice_sets=True,
    ),
}
"""By the name in the table."""
