"""Ranks the requests of a replay with peers, finds their settings on earlier requests, and measures their time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import process_time
from typing import Any, Final

import numpy as np

from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.simple_rankings import FORMULA, LEARNED
from benchmarks.peers.peer import FeedBefore, Peer, PeerKind, Scores, Settings
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import ReplayResult, replay_rankers
from training.evaluation.rankers import Ranked, rank, rank_by_scores
from training.evaluation.replay_job import Against, Progress
from training.evaluation.replay_workers import LocalEngine
from training.learning.calibration import FullChoiceSet
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import FitResult, LearningOptions, select_model
from training.replay.neighbour_models import NeighbourModels
from training.replay.replay import Replay, ReplayRequest

FRESHNESS_HOURS: Final = (None, 24.0, 6.0)
"""Half-lives by which the age of a post lowers the scores of a peer; None: it does not."""
_SEARCH_SECONDS: Final = DAY
_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Selected:
    """The settings of a peer: those of its fit, and the half-life of FRESHNESS_HOURS."""

    settings: Settings
    freshness_hours: float | None

    def __str__(self) -> str:
        given = {**self.settings, "freshness_hours": self.freshness_hours}
        return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


class PeerRankings:
    """Peers under keys. As `diagnose` of a replay it ranks each test request with every peer; in one process.

    Each peer is refitted when the neighbour models are, and on the choice sets of each fit of the learned model.
    """

    def __init__(self, replay: Replay, peers: Mapping[str, tuple[Peer, Sequence[float | None]]]) -> None:
        """`peers` maps each key to a peer, and to the half-lives (hours) of freshness to rank with."""
        self._peers, self._kind_weights = peers, replay.options.kind_weights()
        self._fitted: NeighbourModels | None = None

    def __call__(
        self, request: ReplayRequest, _model: ChoiceModel | None = None
    ) -> dict[tuple[str, float | None], Ranked]:
        """(key, half-life of freshness) -> the ranking."""
        self.fit_if_due(request)
        ranked: dict[tuple[str, float | None], Ranked] = {}
        for key, (peer, freshness) in self._peers.items():
            scores = peer.scores(request)
            ranked |= {(key, hours): _rank_by_peer(request, scores, hours) for hours in freshness}
        return ranked

    def fit_if_due(self, request: ReplayRequest) -> None:
        models = request.neighbour_models
        if models is self._fitted:
            return
        self._fitted = models
        feed = FeedBefore(models.past, models.at, self._kind_weights, request.state)
        for peer, _ in self._peers.values():
            peer.fit(feed)

    def rank(self, key: str, request: ReplayRequest, freshness_hours: float | None) -> Ranked:
        """The ranking of one peer, which was fitted."""
        return _rank_by_peer(request, self._peers[key][0].scores(request), freshness_hours)

    def fit_learned(
        self, choice_sets: ChoiceSets, full: Sequence[FullChoiceSet], options: LearningOptions
    ) -> FitResult:
        """The `fit_model` of a replay: fits the peers on the choice sets too."""
        for peer, _ in self._peers.values():
            peer.fit_choices(choice_sets)
        return select_model(choice_sets, full, options)


def _rank_by_peer(request: ReplayRequest, scores: Scores, freshness_hours: float | None) -> Ranked:
    values = np.zeros(request.state.n_posts)
    values[: len(scores)] = scores
    if freshness_hours is not None:
        age = request.time - request.state.created[: request.state.n_posts]
        values *= np.exp2(age.clip(0) / (-freshness_hours * HOUR))
    return rank_by_scores(request, values[request.eligible])


def select_settings(
    replay: Replay,
    kinds: Mapping[str, PeerKind],
    learning: LearningOptions,
    *,
    max_requests: int,
    progress: Progress,
) -> dict[str, Selected]:
    """The settings of each kind with the largest NDCG@10 on the requests of the day before the test part."""
    n_events = int(np.searchsorted(replay.events.time, replay.test_from))
    earlier = Replay(
        replace(replay.dataset, events=replay.dataset.events[:n_events]),
        replay.options,
        targets=replay.targets,
        test_from=max(replay.time_before_growth(), replay.test_from - _SEARCH_SECONDS),
    )
    tried = {
        f"{name} {number}": (name, settings)
        for name, kind in kinds.items()
        for number, settings in enumerate(kind.settings)
    }
    peers = {key: (kinds[name].make(**settings), FRESHNESS_HOURS) for key, (name, settings) in tried.items()}
    rankers = ["learned" if any(kind.uses_choice_sets for kind in kinds.values()) else "newest"]
    result = _replay(earlier, PeerRankings(earlier, peers), rankers, learning, max_requests, progress)
    selected: dict[str, Selected] = {}
    best = dict.fromkeys(kinds, -1.0)
    for key, (name, settings) in tried.items():
        for hours in FRESHNESS_HOURS:
            ranks = np.array([ranked[key, hours].rank for ranked in result.diagnoses], np.int64)
            ndcg = float(ndcg_of_rank(ranks).mean()) if len(ranks) else 0.0
            if ndcg > best[name]:
                best[name], selected[name] = ndcg, Selected(settings, hours)
    return selected


def compare_with_peers(
    replay: Replay,
    kinds: Mapping[str, PeerKind],
    selected: Mapping[str, Selected],
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    timed_requests: int,
    progress: Progress,
    against: Against | None = None,
) -> tuple[ReplayResult, dict[str, float]]:
    """The replay with the peers among its rankers, and ranker -> milliseconds CPU per request, p50."""
    peers = {
        name: (kinds[name].make(**one.settings), (one.freshness_hours,)) for name, one in selected.items()
    }
    rankings = PeerRankings(replay, peers)
    result = _replay(replay, rankings, rankers, learning, max_requests, progress, against)
    for name, one in selected.items():
        ranked = [diagnosis[name, one.freshness_hours] for diagnosis in result.diagnoses]
        result.ranks[name] = np.array([each.rank for each in ranked], np.int64)
        result.lists[name] = np.full_like(next(iter(result.lists.values())), -1)
        for row, each in zip(result.lists[name], ranked, strict=True):
            row[: len(each.top)] = each.top
    rank_peer = {
        name: partial(rankings.rank, name, freshness_hours=one.freshness_hours)
        for name, one in selected.items()
    }
    rank_ours = {name: partial(_rank_ours, name, replay, result) for name in rankers}
    return result, _milliseconds(replay, result, rankings, rank_ours | rank_peer, timed_requests)


def _replay(
    replay: Replay,
    rankings: PeerRankings,
    rankers: Sequence[str],
    learning: LearningOptions,
    max_requests: int,
    progress: Progress,
    against: Against | None = None,
) -> ReplayResult:
    return replay_rankers(
        replay,
        rankers,
        learning,
        max_requests=max_requests,
        engine=LocalEngine(1),
        progress=progress,
        diagnose=rankings,
        against=against,
        fit_model=rankings.fit_learned,
    )


def _rank_ours(name: str, replay: Replay, result: ReplayResult, request: ReplayRequest) -> Any:
    """Rank a request as the service does at the end of the feed; other rankers than `served` rank all posts."""
    model = result.fits[-1].model if result.fits else None
    serves = result.served[-1].ranking if result.served else LEARNED
    if name != "served":
        return rank(name, replay.options, request, model, serves)
    learned, simple = (model, FORMULA) if serves == LEARNED else (None, serves)
    models = request.neighbour_models.served
    pipeline = ranking_pipeline(replay.options, models, learned, NoObserver(), simple)
    return pipeline.page(request.context, pipeline.rank(request.context), _PAGE)


def _milliseconds(
    replay: Replay, result: ReplayResult, rankings: PeerRankings, rankers: Mapping[str, Any], n_requests: int
) -> dict[str, float]:
    """CPU time of each ranker at the end of the feed, p50 over requests; the rankers take turns.

    Each ranking has a context of its own, so that none uses what another one computed.
    """
    users = replay.dataset.events.user[result.requests]
    now = float(replay.events.time.max(initial=replay.test_from))
    taken: dict[str, list[float]] = {name: [] for name in rankers}
    for user in np.random.default_rng(0).choice(users, n_requests + 1).tolist():
        for name, ranker in rankers.items():
            now += 1e-3
            request = replay.request_for(user, 0, now)
            request.uncapped()
            rankings.fit_if_due(request)
            began = process_time()
            ranker(request)
            taken[name].append((process_time() - began) * 1e3)
    return {name: float(np.median(times[1:])) for name, times in taken.items()}  # the first one warms up
