"""The rankers that docs/evaluation-protocol.md lists. Each ranks the eligible posts of one request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.formula_scorer import FormulaScorer
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.trending_scorer import TrendingScorer
from app.infrastructure.ml.collaborative_filter import NeighbourRecommender
from training.replay.replay import ReplayRequest

TOP_N = 50
"""The number of posts that are stored of each list."""
_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The rank of the chosen post (from 1), and the first posts of the list, as rows of the state."""

    rank: int
    top: NDArray[np.intp]


Ranker = Callable[[ReplayRequest], Ranked]
Score = Callable[[ReplayRequest], NDArray[np.float64]]
CurrentModel = Callable[[], ChoiceModel | None]
"""Returns the learned model of the current request, None before there is one."""


def by_score(score: Score) -> Ranker:
    """Rank by `score`, one value per eligible post, largest first. The request's hash breaks ties."""

    def rank(request: ReplayRequest) -> Ranked:
        values = score(request)
        tie_break = request.tie_break[request.eligible]
        chosen = int(np.searchsorted(request.eligible, request.target))
        is_ahead = (values > values[chosen]) | ((values == values[chosen]) & (tie_break > tie_break[chosen]))
        return Ranked(int(is_ahead.sum()) + 1, request.eligible[_top(values, tie_break)])

    return rank


def _top(values: NDArray[np.float64], tie_break: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Positions of the TOP_N largest values, largest first, without sorting all of them."""
    top = np.arange(len(values))
    if len(values) > TOP_N:
        smallest = np.partition(values, len(values) - TOP_N)[len(values) - TOP_N]
        top, tied = np.flatnonzero(values > smallest), np.flatnonzero(values == smallest)
        room = TOP_N - len(top)
        if len(tied) > room:
            tied = tied[np.argpartition(tie_break[tied], len(tied) - room)[-room:]]
        top = np.concatenate([top, tied])
    return top[np.lexsort((tie_break[top], values[top]))[::-1]]


def _trending(half_life: float) -> Score:
    column = HALF_LIVES.index(half_life)
    return lambda request: request.state.post_counters.column(column, request.time)


def _popular(request: ReplayRequest) -> NDArray[np.float64]:
    return request.state.engagements[: request.state.n_posts].astype(np.float64)


def _age(request: ReplayRequest) -> NDArray[np.float64]:
    return request.time - request.state.created[: request.state.n_posts]


def _hn_hot(request: ReplayRequest) -> NDArray[np.float64]:
    return np.maximum(_popular(request) - 1, 0) / (_age(request) / HOUR + 2) ** 1.8


def _neighbour_scores(recommender: NeighbourRecommender, request: ReplayRequest) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = recommender.scores(request.context).to_dense()[0]
    return scores


def _owner_formula(request: ReplayRequest) -> NDArray[np.float64]:
    collaborative = _neighbour_scores(request.neighbour_models.owner, request)
    if collaborative.max(initial=0.0) <= 0:
        return _trending(7 * DAY)(request)
    n = _popular(request)
    recency = np.exp(-_age(request) / HOUR / 24)
    score: NDArray[np.float64] = (
        0.7 * collaborative / collaborative.max() + 0.2 * n / max(n.max(initial=0.0), 1.0) + 0.1 * recency
    )
    return score


_SIMPLE: Mapping[str, Score] = {  # each scores all posts of the state
    "random": lambda request: np.zeros(request.state.n_posts),
    "newest": lambda request: request.state.created[: request.state.n_posts],
    "popular": _popular,
    "trending_1h": _trending(HOUR),
    "trending_6h": _trending(6 * HOUR),
    "trending_1d": _trending(DAY),
    "trending_3d": _trending(3 * DAY),
    "trending_7d": _trending(7 * DAY),
    "hn_hot": _hn_hot,
    "owner_knn": lambda request: _neighbour_scores(request.neighbour_models.owner, request),
    "decayed_knn": lambda request: _neighbour_scores(request.neighbour_models.decayed, request),
    "owner_formula": _owner_formula,
}
RANKERS = (*_SIMPLE, "formula", "learned", "served")
LEARNED_RANKERS = frozenset({"learned", "served"})
BASELINES = tuple(name for name in _SIMPLE if name not in ("random", "owner_formula"))
"""The simple rankers that use one signal each."""


def ranker(name: str, options: RankingOptions, model: CurrentModel) -> Ranker:
    """The ranker with a name. Raises KeyError for an unknown one."""
    if name == "formula":
        return by_score(_formula(options))
    if name == "learned":
        return by_score(_learned(options, model))
    if name == "served":
        return _served(options, model)
    simple = _SIMPLE[name]
    return by_score(lambda request: simple(request)[request.eligible])


def _formula(options: RankingOptions) -> Score:
    trending = TrendingScorer(options.trending_half_life_hours * HOUR)

    def score(request: ReplayRequest) -> NDArray[np.float64]:
        scorer = FormulaScorer(request.neighbour_models.served, options.formula, trending)
        return scorer(request.context, request.eligible).values

    return score


def _learned(options: RankingOptions, model: CurrentModel) -> Score:
    formula = _formula(options)

    def score(request: ReplayRequest) -> NDArray[np.float64]:
        fitted = model()
        if fitted is None:
            return formula(request)
        return LearnedScorer(fitted).utilities(request.context, request.eligible)

    return score


def _served(options: RankingOptions, model: CurrentModel) -> Ranker:
    def rank(request: ReplayRequest) -> Ranked:
        pipeline = ranking_pipeline(options, request.neighbour_models.served, model(), NoObserver())
        ranked = pipeline.rank(request.context)
        page = pipeline.page(request.context, ranked, _PAGE_SIZE).rows
        below = ranked.excluding(page, request.state.n_posts).rows
        position = np.flatnonzero(np.concatenate([page, below]) == request.target)
        if len(position):
            return Ranked(int(position[0]) + 1, page)
        # The service lists the posts that are no candidates after the others, newest first.
        created = request.state.created
        is_candidate = np.zeros(request.state.n_posts, np.bool_)
        is_candidate[ranked.rows] = True
        is_ahead = (created[request.eligible] > created[request.target]) & ~is_candidate[request.eligible]
        return Ranked(len(ranked.rows) + int(is_ahead.sum()) + 1, page)

    return rank
