"""The rankers of contract section 6, each a function of a moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import DAY, HALF_LIVES, HOUR
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.formula_scorer import FormulaScorer
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.scorer_interface import Scorer
from app.infrastructure.ml.collaborative_filter import NeighbourRecommender
from training.replay.replay import ReplayRequest

TOP_N = 50  # posts of each list that are kept
_PAGE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Where the chosen post came (from 1), and the first posts of the list, as rows of the state."""

    rank: int
    first: NDArray[np.intp]


Ranker = Callable[[ReplayRequest], Ranked]
Score = Callable[[ReplayRequest], NDArray[np.float64]]


def by_score(score: Score) -> Ranker:
    """Rank the eligible posts by `score`, one value per post of the state; equal ones by the moment's hash."""

    def rank(moment: ReplayRequest) -> Ranked:
        values = score(moment)[moment.eligible]
        tie = moment.tie_break[moment.eligible]
        chosen = int(np.searchsorted(moment.eligible, moment.target))
        ahead = (values > values[chosen]) | ((values == values[chosen]) & (tie > tie[chosen]))
        among = np.arange(len(values))
        if len(values) > TOP_N:
            least = np.partition(values, len(values) - TOP_N)[len(values) - TOP_N]
            among, last = np.flatnonzero(values > least), np.flatnonzero(values == least)
            room = TOP_N - len(among)
            if len(last) > room:
                last = last[np.argpartition(tie[last], len(last) - room)[-room:]]
            among = np.concatenate([among, last])
        order = among[np.lexsort((tie[among], values[among]))[::-1]][:TOP_N]
        return Ranked(int(ahead.sum()) + 1, moment.eligible[order])

    return rank


def _heat(half_life: float) -> Score:
    column = HALF_LIVES.index(half_life)
    return lambda moment: moment.state.post_counters.column(column, moment.time)


def _popular(moment: ReplayRequest) -> NDArray[np.float64]:
    return moment.state.engagements[: moment.state.n_posts].astype(np.float64)


def _age(moment: ReplayRequest) -> NDArray[np.float64]:
    return moment.time - moment.state.created[: moment.state.n_posts]


def _hn_hot(moment: ReplayRequest) -> NDArray[np.float64]:
    return np.maximum(_popular(moment) - 1, 0) / (_age(moment) / HOUR + 2) ** 1.8


def _support(taste: NeighbourRecommender, moment: ReplayRequest) -> NDArray[np.float64]:
    support: NDArray[np.float64] = taste.scores(moment.context).to_dense()[0]
    return support


def _owner_formula(moment: ReplayRequest) -> NDArray[np.float64]:
    support = _support(moment.neighbour_models.owner, moment)
    if support.max(initial=0.0) <= 0:
        return _heat(7 * DAY)(moment)
    n = _popular(moment)
    recency = np.exp(-_age(moment) / HOUR / 24)
    score: NDArray[np.float64] = (
        0.7 * support / support.max() + 0.2 * n / max(n.max(initial=0.0), 1.0) + 0.1 * recency
    )
    return score


_SIMPLE: Mapping[str, Score] = {
    "random": lambda moment: np.zeros(moment.state.n_posts),
    "newest": lambda moment: moment.state.created[: moment.state.n_posts],
    "popular": _popular,
    "trending_1h": _heat(HOUR),
    "trending_6h": _heat(6 * HOUR),
    "trending_1d": _heat(DAY),
    "trending_3d": _heat(3 * DAY),
    "trending_7d": _heat(7 * DAY),
    "hn_hot": _hn_hot,
    "owner_knn": lambda moment: _support(moment.neighbour_models.owner, moment),
    "decayed_knn": lambda moment: _support(moment.neighbour_models.decayed, moment),
    "owner_formula": _owner_formula,
}
RANKERS = (*_SIMPLE, "formula", "learned", "served")
LEARNED = frozenset({"learned", "served"})
SINGLE = tuple(name for name in _SIMPLE if name not in ("random", "owner_formula"))
"""Single baselines: one signal each."""


def ranker(name: str, options: RankingOptions, model: Callable[[], ChoiceModel | None]) -> Ranker:
    """A ranker by name; `model` gives the learned model of the moment, None before there is one."""
    if name in _SIMPLE:
        return by_score(_SIMPLE[name])
    if name == "formula":
        trending = TrendingScorer(options.trending_half_life_hours * HOUR)
        return by_score(
            _whole(lambda moment: FormulaScorer(moment.neighbour_models.served, options.formula, trending))
        )
    if name == "learned":
        return by_score(_learned(options, model))
    if name == "served":
        return _served(options, model)
    raise KeyError(name)


def _whole(scorer: Callable[[ReplayRequest], Scorer]) -> Score:
    def score(moment: ReplayRequest) -> NDArray[np.float64]:
        values = np.full(moment.state.n_posts, -np.inf)
        values[moment.eligible] = scorer(moment)(moment.context, moment.eligible).values
        return values

    return score


def _learned(options: RankingOptions, model: Callable[[], ChoiceModel | None]) -> Score:
    def score(moment: ReplayRequest) -> NDArray[np.float64]:
        fitted = model()
        if fitted is None:
            return _whole(
                lambda m: FormulaScorer(m.neighbour_models.served, options.formula, _trending(options))
            )(moment)
        values = np.full(moment.state.n_posts, -np.inf)
        values[moment.eligible] = LearnedScorer(fitted).utilities(moment.context, moment.eligible)
        return values

    return score


def _trending(options: RankingOptions) -> TrendingScorer:
    return TrendingScorer(options.trending_half_life_hours * HOUR)


def _served(options: RankingOptions, model: Callable[[], ChoiceModel | None]) -> Ranker:
    def rank(moment: ReplayRequest) -> Ranked:
        pipeline: FeedPipeline = ranking_pipeline(
            options, moment.neighbour_models.served, model(), NoObserver()
        )
        context = moment.context
        ranked = pipeline.rank(context)
        page = pipeline.page(context, ranked, _PAGE)
        place = np.flatnonzero(page.rows == moment.target)
        if len(place):
            return Ranked(int(place[0]) + 1, page.rows)
        after = ranked.excluding(page.rows, moment.state.n_posts).rows
        place = np.flatnonzero(after == moment.target)
        if len(place):
            return Ranked(len(page.rows) + int(place[0]) + 1, page.rows)
        newer = moment.state.created[moment.eligible] > moment.state.created[moment.target]
        listed = np.zeros(moment.state.n_posts, np.bool_)
        listed[ranked.rows] = True
        behind = int((newer & ~listed[moment.eligible]).sum())
        return Ranked(len(ranked.rows) + behind + 1, page.rows)

    return rank
