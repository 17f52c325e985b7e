"""What each part of the ranking is worth: the served pipeline is refitted and measured without it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from training.evaluation.metrics import Estimate, bootstrap, ndcg_of_rank
from training.evaluation.prequential import run
from training.evaluation.time_budget import TimeBudget
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the ranking, and the options that rank without it."""

    name: str
    ranking: RankingOptions
    learning: LearningOptions


@dataclass(frozen=True, slots=True)
class Ablation:
    """The effect of removing one part.

    ndcg    NDCG@10 of `served` without the part
    change  `ndcg` minus that of the whole ranking, paired by request: below 0 where the part helps
    """

    part: str
    ndcg: Estimate
    change: Estimate

    @property
    def matters(self) -> bool:
        """Whether the interval of the change lies below 0."""
        return self.change.high < 0

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {**asdict(self), "matters": self.matters}


def parts(ranking: RankingOptions, learning: LearningOptions) -> Iterator[Part]:
    """Every candidate source, every half-life that nominates trending posts, and every group of inputs."""
    for source in ranking_pipeline(
        ranking, None, ChoiceModel.untrained(user_features.names()), NoObserver()
    ).sources:
        without = replace(ranking, exclude_sources=(*ranking.exclude_sources, source.name))
        yield Part(f"source {source.name}", without, learning)
    half_lives = ranking.trending_source_half_lives_hours
    for hours in half_lives if len(half_lives) > 1 else ():
        others = tuple(one for one in half_lives if one != hours)
        yield Part(
            f"trending {hours:g} h", replace(ranking, trending_source_half_lives_hours=others), learning
        )
    for group in user_features.groups():
        yield Part(f"inputs {group}", ranking, replace(learning, without=(*learning.without, group)))


def ablate(
    dataset: FeedDataset,
    ranking: RankingOptions,
    learning: LearningOptions,
    *,
    seconds: float,
    requests: int,
    workers: int | None = None,
    clock: Callable[[], float] = perf_counter,
    on_result: Callable[[], None] = lambda: None,
) -> tuple[Estimate, list[Ablation]]:
    """NDCG@10 of the whole ranking, and the effect of removing each of its parts, until `seconds` are over."""
    budget = TimeBudget(seconds, clock)
    whole, users = _served_ndcg(dataset, ranking, learning, requests, workers)
    results: list[Ablation] = []
    for part in parts(ranking, learning):
        if not budget.allows_another():
            break
        ndcg, _ = _served_ndcg(dataset, part.ranking, part.learning, requests, workers)
        results.append(Ablation(part.name, bootstrap(ndcg, users), bootstrap(ndcg - whole, users)))
        on_result()
    return bootstrap(whole, users), results


def _served_ndcg(
    dataset: FeedDataset,
    ranking: RankingOptions,
    learning: LearningOptions,
    requests: int,
    workers: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(n_requests,) NDCG@10 of `served`, and the user of each request."""
    replay = Replay(dataset, ranking, targets=target_kinds(dataset), seed=learning.seed)
    outcome = run(replay, ["served"], learning, max_requests=requests, workers=workers)
    return ndcg_of_rank(outcome.ranks["served"]), replay.events.user[outcome.requests]
