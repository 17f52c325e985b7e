"""Generated feeds, one per scenario, and the band that the quality of the learned ranking must stay in on each.

The quality is NDCG@10 of the learned ranking divided by that of the best simple one. `python -m
tests.support.quality_band` prints it for three seeds, to set the bands; `--forum` prints the table of the forum.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import forum, generated
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.evaluation.rankers import BASELINES, RANKERS
from training.evaluation.replay_workers import LOCAL_ENGINE, LocalEngine
from training.evaluation.training_engine import TrainingEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds

SEEDS: Final = (0, 1, 2)
"""Seeds of ties and of all that learning draws. Tests use the first. The feeds are the same for every seed."""


@dataclass(frozen=True, slots=True)
class Band:
    """Bounds of a figure, both included."""

    low: float
    high: float

    def violation(self, value: float) -> str | None:
        """One sentence if `value` is outside."""
        if self.low <= value <= self.high:
            return None
        return f"{value:.3f} is outside the band [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Scenario:
    """The size of a generated feed, the number of requests to learn from, and the band of the quality."""

    users: int
    posts: int
    interactions: int
    learn_from: int
    band: Band
    bare_posts: bool = False  # without authors, text and tags only neighbours show what a user likes


SCENARIOS: Final = {
    "popularity": Scenario(300, 600, 9_000, 400, Band(1.22, 1.54)),
    "taste": Scenario(600, 400, 12_000, 400, Band(3.08, 4.28), bare_posts=True),
    "mixed": Scenario(300, 400, 9_000, 400, Band(1.41, 1.81)),
    "follows": Scenario(300, 500, 9_000, 400, Band(5.07, 6.49)),
    "recency": Scenario(300, 600, 8_000, 500, Band(0.97, 1.03)),
}
"""A band is the range over `SEEDS`, widened by 10 % on both sides (recency: 3 %). It holds the quality of eight seeds.
Each planted fault of `test_quality_band.py` lowers the quality by a third or more."""


@cache
def feed(name: str) -> FeedDataset:
    """The feed of a scenario, always the same."""
    scenario = SCENARIOS[name]
    dataset = generated(scenario.users, scenario.posts, scenario.interactions, scenario=name, seed=1)
    if not scenario.bare_posts:
        return dataset
    posts, n = dataset.posts, len(dataset.posts)
    return replace(
        dataset, posts=replace(posts, author=np.full(n, -1, np.int32), text=[""] * n, tags=[()] * n)
    )


@cache
def simple_and_learned(name: str, seed: int) -> dict[str, float]:
    """NDCG@10 of the simple rankings and of the learned one on the feed of a scenario, computed once."""
    return _measure(name, (*BASELINES, "learned"), seed)


def best_simple(name: str, seed: int) -> tuple[str, float]:
    """The simple ranking with the largest NDCG@10 on the feed of a scenario, and this NDCG@10."""
    return max(((one, simple_and_learned(name, seed)[one]) for one in BASELINES), key=lambda one: one[1])


def quality(name: str, seed: int = SEEDS[0]) -> float:
    """NDCG@10 of the learned ranking divided by that of the best simple one."""
    return simple_and_learned(name, seed)["learned"] / best_simple(name, seed)[1]


def quality_now(name: str, seed: int = SEEDS[0]) -> float:
    """The quality with the learned ranking computed again, because a test has planted a fault."""
    return _measure(name, ("learned",), seed)["learned"] / best_simple(name, seed)[1]


def _measure(name: str, rankers: Sequence[str], seed: int) -> dict[str, float]:
    learning = LearningOptions(requests=SCENARIOS[name].learn_from, seed=seed)
    # One worker, because a planted fault is in this process only.
    return ndcg(feed(name), rankers, learning, max_requests=len(feed(name).events), engine=LocalEngine(1))


def ndcg(
    dataset: FeedDataset,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    engine: TrainingEngine = LOCAL_ENGINE,
) -> dict[str, float]:
    """Mean NDCG@10 of each ranker over the requests of the test part."""
    replay = Replay(dataset, RankingOptions(), targets=target_kinds(dataset), seed=learning.seed)
    with threadpool_limits(limits=1):
        result = replay_rankers(replay, rankers, learning, max_requests=max_requests, engine=engine)
    return {name: float(ndcg_of_rank(ranks).mean()) for name, ranks in result.ranks.items()}


FORUM_REQUESTS: Final = 2000
FORUM_SIMPLE: Final = {
    "random": 0.0002,
    "newest": 0.0993,
    "popular": 0.0000,
    "trending_1h": 0.1918,
    "trending_6h": 0.1642,
    "trending_1d": 0.1029,
    "trending_3d": 0.0613,
    "trending_7d": 0.0370,
    "hn_hot": 0.1787,
    "owner_knn": 0.0007,
    "decayed_knn": 0.0204,
    "owner_formula": 0.0144,
}
"""NDCG@10 with the first seed. Only the order of ties depends on it, so these figures are exact."""
FORUM_BANDS: Final = {
    "formula": Band(0.57, 0.71),
    "learned": Band(1.67, 1.96),
    "served": Band(1.67, 1.96),
}
"""NDCG@10 divided by that of the best simple ranking: the range over `SEEDS`, widened by 3 % on both sides. Each seed
selects other requests, which changes a ratio by up to 10 %."""


def forum_table(seed: int = SEEDS[0]) -> dict[str, float]:
    """NDCG@10 of every ranker on the forum, or a skipped test where the data set is absent."""
    return ndcg(forum(), RANKERS, LearningOptions(seed=seed), max_requests=FORUM_REQUESTS)


def main(arguments: Sequence[str]) -> int:
    """Print the figures that the bands are taken from."""
    if arguments == ["--forum"]:
        for seed in SEEDS:
            table = forum_table(seed)
            print(f"seed {seed}:", *(f"{name} {value:.4f}" for name, value in table.items()), flush=True)
        return 0
    for name, scenario in SCENARIOS.items():
        found = [quality(name, seed) for seed in SEEDS]
        print(f"{name}: {', '.join(f'{one:.3f}' for one in found)}; {scenario.band}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
