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
from app.domain.ranking.simple_rankings import FORMULA, LEARNED
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.collaborative_filter import NeighbourRecommender
from training.replay.replay import ReplayRequest

TOP_N = 50
"""The number of posts that are stored of each list."""
_PAGE_SIZE = 50
_SHOWN = 20
"""Posts of a page that count as shown to the user."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The rank of the chosen post (from 1), and the first posts of the list, as rows of the state."""

    rank: int
    top: NDArray[np.intp]


Scores = NDArray[np.float64]
Rows = NDArray[np.intp]


def rank(
    name: str,
    options: RankingOptions,
    request: ReplayRequest,
    model: ChoiceModel | None,
    serves: str | None = None,
) -> Ranked:
    """Rank the eligible posts of a request with the ranker of a name. Raises KeyError for an unknown name.

    `model` is the learned model at the time of the request; None before there is one. `serves` is the ranking that
    `served` uses: "learned", or a name of SIMPLE_RANKINGS. By default it is learned, and the formula without a model.
    """
    if name == "served":
        learned = model if serves in (None, LEARNED) else None
        simple = FORMULA if serves in (None, LEARNED) else serves
        return _served(options, request, learned, simple)
    trending = TrendingScorer(options.trending_half_life_hours * HOUR)
    formula = FormulaScorer(request.neighbour_models.served, options.formula, trending)
    if name == "learned":
        if model is not None:
            values = _live_first(request, LearnedScorer(model).utilities)
        else:
            values = _live_first(request, lambda context, rows: formula(context, rows).values)
    elif name == "formula":
        values = formula(request.context, request.eligible).values
    else:
        values = _SIMPLE[name](request)[request.eligible]
    return rank_by_scores(request, values)


def _live_first(request: ReplayRequest, scores: Callable[[RankingContext, Rows], Scores]) -> Scores:
    """Scores of the eligible posts: those of the live ones, and then the others, newest first, as the service lists."""
    rows, live = request.eligible, request.live
    is_live = live.state.visible[rows]
    values = np.empty(len(rows))
    values[is_live] = scores(live, rows[is_live])
    if not is_live.all():
        _, order_of_time = np.unique(request.state.created[rows[~is_live]], return_inverse=True)
        lowest = values[is_live & np.isfinite(values)].min(initial=0.0)
        values[~is_live] = lowest - 1 - order_of_time.max() + order_of_time
    return values


def rank_by_list(request: ReplayRequest, listed: NDArray[np.intp]) -> Ranked:
    """Rank by a list of post rows, best first. Posts that are not listed follow, in the order of the hash."""
    values = np.full(request.state.n_posts, -np.inf)
    backwards = np.arange(len(listed))[::-1]
    values[listed[backwards]] = -backwards  # of a repeated post the first place counts
    return rank_by_scores(request, values[request.eligible])


def rank_by_scores(request: ReplayRequest, values: Scores) -> Ranked:
    """Rank by one value per eligible post, largest first. The request's hash breaks ties.

    A chosen post that a control of the user hides ranks last.
    """
    tie_break = request.tie_break[request.eligible]
    top = request.eligible[_top(values, tie_break)]
    if request.target not in request.eligible:
        return Ranked(len(request.eligible) + 1, top)
    chosen = int(np.searchsorted(request.eligible, request.target))
    is_ahead = (values > values[chosen]) | ((values == values[chosen]) & (tie_break > tie_break[chosen]))
    return Ranked(int(is_ahead.sum()) + 1, top)


def _top(values: Scores, tie_break: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Positions of the TOP_N largest values, largest first, without sorting all of them."""
    top = np.arange(len(values))
    if len(values) > TOP_N:
        top = np.flatnonzero(values >= np.partition(values, -TOP_N)[-TOP_N])
    return top[np.lexsort((tie_break[top], values[top]))[::-1][:TOP_N]]


def _trending(half_life: float) -> Callable[[ReplayRequest], Scores]:
    column = HALF_LIVES.index(half_life)
    return lambda request: request.uncapped().state.post_counters.all_values(column, request.time)


def _popular(request: ReplayRequest) -> Scores:
    return request.uncapped().state.engagements[: request.state.n_posts].astype(np.float64)


def _age(request: ReplayRequest) -> Scores:
    return request.time - request.state.created[: request.state.n_posts]


def _hn_hot(request: ReplayRequest) -> Scores:
    return np.maximum(_popular(request) - 1, 0) / (_age(request) / HOUR + 2) ** 1.8


def _neighbour_scores(recommender: NeighbourRecommender, request: ReplayRequest) -> Scores:
    scores: Scores = recommender.scores(request.uncapped()).to_dense()[0]
    return scores


def _owner_formula(request: ReplayRequest) -> Scores:
    collaborative = _neighbour_scores(request.neighbour_models.owner, request)
    if collaborative.max(initial=0.0) <= 0:
        return _trending(7 * DAY)(request)
    n = _popular(request)
    popularity, recency = n / max(n.max(initial=0.0), 1.0), np.exp(-_age(request) / HOUR / 24)
    score: Scores = 0.7 * collaborative / collaborative.max() + 0.2 * popularity + 0.1 * recency
    return score


_SIMPLE: Mapping[str, Callable[[ReplayRequest], Scores]] = {  # each scores all posts of the state
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
COMPARES_ALL_EVENTS = frozenset({"owner_knn", "decayed_knn", "owner_formula"})
"""Rankers whose neighbours come from all events of all users before the refit."""
LEARNED_RANKERS = frozenset({"learned", "served"})
BASELINES = tuple(name for name in _SIMPLE if name not in ("random", "owner_formula"))
"""The simple rankers that use one signal each."""


def _served(
    options: RankingOptions, request: ReplayRequest, model: ChoiceModel | None, simple: str
) -> Ranked:
    """Rank as the service does: the page, the rest of the ranked list, and then the rest of the catalogue.

    Unless the feed has pages, the first posts count as shown, so that later pages of the user do not repeat them.
    """
    context, recommender = request.live, request.neighbour_models.served
    pipeline = ranking_pipeline(options, recommender, model, NoObserver(), simple)
    ranked = pipeline.rank(context)
    page = pipeline.page(context, ranked, _PAGE_SIZE).rows
    if context.user >= 0 and not request.feed_has_pages:
        for state in {request.state, context.state}:
            state.impressions.record(context.user, page[:_SHOWN], request.time)
    below = ranked.excluding(page, request.state.n_posts).rows
    position = np.flatnonzero(np.concatenate([page, below]) == request.target)
    if len(position):
        return Ranked(int(position[0]) + 1, page)
    # The service lists the posts that are no candidates after the others, newest first.
    created, rest = request.state.created, np.setdiff1d(request.eligible, ranked.rows)
    is_ahead = (created[rest] > created[request.target]) | (request.target not in rest)
    return Ranked(len(ranked.rows) + int(is_ahead.sum()) + 1, page)
